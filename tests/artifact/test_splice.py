"""Other bytes in a message: lengths around them follow, everything else stays."""

from __future__ import annotations

import pytest
from onnx import ModelProto, TensorProto, helper

from compress.artifact.splice import RAW_DATA, Edit, splice, tensors
from tests.artifact.writers import WAYS, written


def model():
    held = [TensorProto(name=name, raw_data=b"0123456789") for name in "ab"]
    inner = helper.make_graph([], "inner", [], [], held)
    node = helper.make_node("If", [], [], then_branch=inner)
    return helper.make_model(helper.make_graph([node], "g", [], [], held))


@pytest.mark.parametrize("way", [None, *WAYS])
@pytest.mark.parametrize("size", [0, 10, 100, 20_000])
def test_lengths_follow(way, size):
    data = model().SerializeToString() if way is None else written(model(), way)
    found = tensors(data, ModelProto.DESCRIPTOR, frozenset({RAW_DATA}))
    assert len(found) == 4
    edits = [Edit(part, b"x" * size) for parts in found.values() for part in parts]
    made = ModelProto.FromString(b"".join(splice(data, edits[:-1])))
    inner = made.graph.node[0].attribute[0].g
    raw = [t.raw_data for t in (*made.graph.initializer, *inner.initializer)]
    assert sorted(raw) == sorted([b"x" * size] * 3 + [b"0123456789"])
    assert b"".join(splice(data, [])) == data


def test_a_length_that_stays_is_not_written_anew():
    data = written(model(), "padded")
    found = tensors(data, ModelProto.DESCRIPTOR, frozenset({RAW_DATA}))
    edits = [Edit(part, b"9876543210") for parts in found.values() for part in parts]
    made = b"".join(splice(data, edits))
    assert made == data.replace(b"0123456789", b"9876543210")

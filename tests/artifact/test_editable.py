"""Other numbers in a model's tensors: all other bytes stay, whoever wrote the file."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, save_model

from compress.artifact.editable import FLOATS, EditableModel
from compress.errors import DataError, OutputError
from tests.artifact.writers import WAYS, written

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(0, 1, 2000)


def tensor(name, kind, field="raw_data", count=2000):
    """Return a tensor whose numbers are held in a field."""
    out = TensorProto(name=name, data_type=kind, dims=[count])
    numbers = NUMBERS[:count]
    if kind == TensorProto.BFLOAT16:
        items = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    else:
        items = numbers.astype(FLOATS[kind])
    if field == "raw_data":
        out.raw_data = items.tobytes()
    elif field == "int32_data":
        out.int32_data.extend(items.view(np.uint16).tolist())
    else:
        getattr(out, field).extend(items.tolist())
    return out


HELD = [
    (TensorProto.FLOAT, "raw_data"),
    (TensorProto.FLOAT, "float_data"),
    (TensorProto.DOUBLE, "raw_data"),
    (TensorProto.DOUBLE, "double_data"),
    (TensorProto.FLOAT16, "raw_data"),
    (TensorProto.FLOAT16, "int32_data"),
    (TensorProto.BFLOAT16, "raw_data"),
    (TensorProto.BFLOAT16, "int32_data"),
]


def model_of(held=HELD, count=2000):
    """Return a model with a tensor of each kind: in its graph, a Constant and a subgraph."""
    own = [tensor(f"own{i}", *one, count) for i, one in enumerate(held)]
    inner = [tensor(f"inner{i}", *one, count) for i, one in enumerate(held)]
    nodes = [
        helper.make_node("Constant", [], [f"c{i}"], value=tensor("", *one, count))
        for i, one in enumerate(held)
    ]
    body = helper.make_graph([], "body", [], [], inner)
    nodes.append(helper.make_node("If", ["?"], ["y"], then_branch=body, else_branch=body))
    graph = helper.make_graph(nodes, "g", [], [], own)
    return helper.make_model(graph, producer_name="someone")


def every(model):
    """Return the places of all tensors that can be changed."""
    return sorted(model._stored)


def test_nothing_is_changed_that_was_not_asked_for(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of().SerializeToString())
    model = EditableModel(path)
    assert len(every(model)) == 4 * len(HELD)
    assert model.data() == path.read_bytes()
    (out,) = model.write(tmp_path / "out.onnx")
    assert out.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("way", [None, *WAYS])
def test_other_numbers_and_the_same_model_around_them(way, tmp_path):
    original = model_of(count=300)
    data = original.SerializeToString() if way is None else written(original, way)
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    model = EditableModel(path)
    changed = every(model)
    one_by_one = 2 * (way == "unpacked")  # 16-bit floats that stand so are left alone
    assert len(changed) == 4 * (len(HELD) - one_by_one)
    for place in changed:
        items = model.items(place)
        assert len(items) == 300
        model.set_items(place, items[::-1])
        np.testing.assert_array_equal(model.items(place), items[::-1])
    parsed = ModelProto.FromString(model.data())
    for place in changed:
        was, now = (EditableModel(each) for each in (original, parsed))
        np.testing.assert_array_equal(now.items(place), was.items(place)[::-1])
    again = EditableModel(parsed)
    for place in every(again):
        if place in changed:
            again.set_items(place, again.items(place)[::-1])
    back = ModelProto.FromString(again.data())
    back.DiscardUnknownFields()
    assert back == original


@pytest.mark.parametrize(("kind", "field"), [one for one in HELD if one[1] != "int32_data"])
def test_all_bytes_but_the_numbers_are_the_same(kind, field, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of([(kind, field)]).SerializeToString())
    model = EditableModel(path)
    before = path.read_bytes()
    width = FLOATS[kind].itemsize
    for place in every(model):
        old = model.items(place).tobytes()
        items = model.items(place).copy()
        items[:7] = 0
        model.set_items(place, items)
        after = model.data()
        assert len(after) == len(before)
        differ = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
        assert differ.max() - differ.min() < 7 * width
        assert old[: 7 * width].find(before[differ.min() : differ.max() + 1]) >= 0
        model.set_items(place, None)
    assert model.data() == before


def test_equal_tensors_are_told_apart():
    model = EditableModel(model_of([(TensorProto.FLOAT, "raw_data")] * 3))
    first, second, *_ = every(model)
    model.set_items(second, np.zeros(2000, np.float32))
    parsed = EditableModel(ModelProto.FromString(model.data()))
    assert parsed.items(first).any()
    assert not parsed.items(second).any()


def test_numbers_of_other_lengths_move_all_that_is_behind():
    """A zero takes one byte of int32_data, where other 16-bit floats take up to three."""
    model = EditableModel(model_of([(TensorProto.FLOAT16, "int32_data")]))
    places = every(model)
    for place in places:
        model.set_items(place, np.zeros(2000, np.float16))
    data = model.data()
    assert len(data) < len(model_of([(TensorProto.FLOAT16, "int32_data")]).SerializeToString())
    parsed = ModelProto.FromString(data)
    assert parsed.graph.node[-1].op_type == "If"
    assert not any(EditableModel(parsed).items(place).any() for place in places)
    assert parsed.SerializeToString() == data


def test_data_beside_a_model_are_written_anew_beside_the_new_one(tmp_path):
    path = tmp_path / "net.onnx"
    original = model_of([(TensorProto.FLOAT, "raw_data")])
    save_model(
        ModelProto.FromString(original.SerializeToString()),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=100,
    )
    beside = (tmp_path / "weights.bin").read_bytes()
    model = EditableModel(path)
    assert model.has_files_beside
    place = ((7, 0), (5, 0))  # the first initializer
    items = model.items(place) * 2
    model.set_items(place, items)
    graph, data = model.write(tmp_path / "out" / "new.onnx")
    assert data.name.startswith("new.onnx.")
    assert (tmp_path / "weights.bin").read_bytes() == beside
    again = EditableModel(graph)
    np.testing.assert_array_equal(again.items(place), items)
    ((begin, end),) = model._stored[place].spans
    assert data.read_bytes() == beside[:begin] + items.tobytes() + beside[end:]
    assert numpy_helper.to_array(model.tensor(place)).tobytes() == items.tobytes()
    twice = EditableModel(path)
    assert twice.write(tmp_path / "same.onnx")[1].read_bytes() == beside


def test_what_is_read_is_not_overwritten(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of().SerializeToString())
    with pytest.raises(OutputError, match="would overwrite what is read"):
        EditableModel(path).write(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("net.onnx", b"\xff\xff", "not a readable ONNX model"),
        ("net.onnx", b"", "has no graph"),
        ("net.bin", b"", "does not end in .onnx"),
    ],
)
def test_what_is_no_model_is_told_in_a_line(name, data, said, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=said) as error:
        EditableModel(tmp_path / name)
    assert "\n" not in str(error.value)

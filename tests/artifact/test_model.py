"""A model taken apart and put together: every field, every place, and what stays in the graph."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from compress.artifact import model
from compress.errors import FormatError
from tests.golden.make import golden_model

NUMBERS = np.arange(40, dtype=np.float32)


def taken(tensor):
    """Take a tensor's data out and put it back; return whether anything was taken."""
    before = tensor.SerializeToString()
    found = model.take_data(tensor)
    if found is None:
        assert tensor.SerializeToString() == before
        assert model.missing(tensor) is None
        return False
    layout, items = found
    assert model.missing(tensor) == layout
    assert items.nbytes == layout.n_bytes
    model.put_data(tensor, items.tobytes())
    assert tensor.SerializeToString() == before
    return True


def test_every_tensor_of_the_golden_goes_out_and_back():
    kept = [tensor.name for tensor in model.tensors(golden_model()) if not taken(tensor)]
    in_graph = {"strings", "NaN", "empty", "scalar", "63 bytes", "wrong size", "two fields"}
    assert {name for name in kept if not name.endswith(" 37")} == in_graph | {"entries"}


@pytest.mark.parametrize(
    ("kind", "field", "values", "goes"),
    [
        ("FLOAT", "float_data", NUMBERS, True),
        ("FLOAT", "float_data", [1.5e-45, -0.0, float("inf"), *range(17)], True),
        ("FLOAT", "float_data", [float("nan"), *range(19)], False),
        ("FLOAT", "float_data", range(19), False),
        ("DOUBLE", "double_data", range(20), True),
        ("INT8", "int32_data", range(-20, 0), False),  # 20 bytes: too small
        ("INT8", "int32_data", range(-100, 0), True),
        ("INT8", "int32_data", range(100, 200), False),  # out of the type's range
        ("UINT8", "int32_data", range(-50, 50), False),
        ("BOOL", "int32_data", [1] * 100, True),
        ("FLOAT16", "int32_data", range(40), True),
        ("INT4", "int32_data", [0xF7] * 64, True),
        ("UINT32", "uint64_data", range(20), True),
        ("UINT32", "uint64_data", [2**32] * 20, False),
        ("UINT64", "uint64_data", [2**64 - 1] * 20, True),
        ("INT64", "int64_data", [-(2**63)] * 20, True),
    ],
)
def test_typed_fields(kind, field, values, goes):
    number = TensorProto.DataType.Value(kind)
    elements = 2 * len(values) if kind == "INT4" else len(values)
    if list(values) == list(range(19)):
        elements = 20
    tensor = TensorProto(data_type=number, dims=[elements], **{field: values})
    assert taken(tensor) is goes


def test_signalling_nans_in_a_field_are_not_changed():
    wire = b"\x08\x14\x10\x01" + b"\x22\x50" + bytes.fromhex("0100807f") * 20
    tensor = TensorProto.FromString(wire)
    assert not taken(tensor)
    assert tensor.SerializeToString() == wire


@pytest.mark.parametrize("dims", [[], [0, 50], [-1, -50], [2, 3], [1] * 65 + [50]])
def test_shapes_that_stay_in_the_graph(dims):
    tensor = TensorProto(data_type=2, dims=dims, raw_data=bytes(50 if 50 in dims else 6))
    assert not taken(tensor)


def test_tensors_come_in_the_order_of_field_numbers():
    def tensor(name):
        return numpy_helper.from_array(NUMBERS, name)

    onnx_model = ModelProto()
    graph = onnx_model.graph
    onnx_model.functions.add().node.add().attribute.add().t.CopyFrom(tensor("h"))
    sparse = graph.sparse_initializer.add()
    sparse.indices.CopyFrom(tensor("g"))
    sparse.values.CopyFrom(tensor("f"))
    graph.initializer.extend([tensor("d"), tensor("e")])
    node = graph.node.add()
    node.attribute.add().tensors.append(tensor("b"))
    node.attribute[0].t.CopyFrom(tensor("a"))
    node.attribute.add().graphs.add().initializer.append(tensor("c"))
    assert "".join(found.name for found in model.tensors(onnx_model)) == "abcdefgh"


def test_data_in_another_file_are_refused():
    tensor = TensorProto(data_type=1, dims=[40])
    model.refer(tensor, "elsewhere", 0, 160)
    for act in (model.missing, model.take_data):
        with pytest.raises(FormatError, match="another file"):
            act(tensor)

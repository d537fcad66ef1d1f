"""Graphs that nobody would write: they are listed and run, or refused in one line."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from compress.errors import CompressError, DataError
from compress.passes.onnx_network import OnnxNetwork
from tests.passes.onnx_graphs import model, node, value

NAMES = ["x", "w", "v", "b", "c", "d", ""]
OPERATORS = [
    "Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "Add", "BatchNormalization",
    "Transpose", "Reshape", "Concat", "Identity", "Cast", "Constant", "If", "Relu", "Nobody",
]  # fmt: skip
ATTRIBUTES = ["group", "strides", "pads", "dilations", "auto_pad", "perm", "axis", "transB", "to"]


@st.composite
def tensors(draw, name):
    dims = draw(st.lists(st.integers(-1, 4), max_size=4))
    kind = draw(st.sampled_from([1, 1, 1, 7, 10, 11, 16]))
    size = int(np.prod(dims)) if draw(st.integers(0, 9)) else draw(st.integers(0, 9))
    width = {1: 4, 7: 8, 10: 2, 11: 8, 16: 2}[kind]
    data = np.random.default_rng(0).normal(size=max(size, 0) * 2).astype("f4").tobytes()
    return TensorProto(name=name, data_type=kind, dims=dims, raw_data=data[: max(size, 0) * width])


@st.composite
def nodes(draw, depth=0):
    made = node(
        draw(st.sampled_from(OPERATORS)),
        draw(st.lists(st.sampled_from(NAMES), max_size=5)),
        draw(st.lists(st.sampled_from(NAMES[:-1]), max_size=2)),
        domain=draw(st.sampled_from(["", "", "", "their"])),
    )
    for name in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=3, unique=True)):
        given = draw(
            st.one_of(
                st.integers(-1, 3),
                st.lists(st.integers(-1, 3), min_size=1, max_size=4),
                st.sampled_from(["SAME_UPPER", "VALID"]),
            )
        )
        made.attribute.append(helper.make_attribute(name, given))
    if made.op_type == "Constant":
        made.attribute.append(helper.make_attribute("value", draw(tensors(""))))
    if made.op_type == "If" and depth < 2:
        made.attribute.append(helper.make_attribute("then_branch", draw(graphs(depth + 1))))
    return made


@st.composite
def graphs(draw, depth=0):
    names = draw(st.lists(st.sampled_from(NAMES[1:-1]), max_size=4))
    return helper.make_graph(
        draw(st.lists(nodes(depth), max_size=6)),
        "g",
        [value("x", "n", 3, 4, 4)] if not depth else [],
        [helper.make_empty_tensor_value_info(draw(st.sampled_from(NAMES[:-1])))],
        [draw(tensors(name)) for name in names],
    )


@given(graphs())
@settings(max_examples=150)
def test_any_graph_is_taken_or_refused(graph):
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    network = OnnxNetwork(proto)
    weights, skipped = network.weights()
    names = [one.name for one in (*weights, *skipped)]
    assert len(set(names)) == len(names)
    for weight in weights:
        keep = np.arange(int(np.prod(weight.shape))) % 2 > 0
        weight.set_mask(keep)
        weight.set_values(weight.values())
        assert not weight.values()[~keep].any()
    assert len(network.model.data()) == len(proto.SerializeToString())
    network.set_vectors(network.vectors())
    x = (np.ones((6, 3, 4, 4), np.float32),)
    network.moments(weights, x)
    network.correct(x, network.levels(x))
    with contextlib.suppress(CompressError):
        network.outputs(x)


def test_a_name_that_is_not_utf_8():
    data = model([node("Identity", ["x"], ["NAME"])]).SerializeToString()
    with pytest.raises(DataError, match="not UTF-8"):
        OnnxNetwork(ModelProto.FromString(data.replace(b"NAME", b"\xff\xfe\xfd\xfc")))


def test_nodes_that_are_not_in_order():
    nodes = [node("Conv", ["h", "w", "b"], ["y"]), node("Relu", ["x"], ["h"])]
    tensors = [
        helper.make_tensor("w", 1, [2, 3, 1, 1], np.ones(6)),
        helper.make_tensor("b", 1, [2], np.ones(2)),
    ]
    network = OnnxNetwork(model(nodes, tensors))
    x = (np.ones((6, 3, 4, 4), np.float32),)
    network.correct(x, network.levels(x))
    assert network.moments(network.weights()[0], x) == {}
    assert all("\n" not in note for note in network.notes)

"""Weights of an ONNX graph by what reads them, and a reason for each tensor that is none."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress.passes.onnx_network import OnnxNetwork
from tests.passes.onnx_graphs import held, model, node, value


def listed(proto):
    """Return name → (kind, shape), and name → reason."""
    weights, skipped = OnnxNetwork(proto).weights()
    assert len({one.name for one in (*weights, *skipped)}) == len(weights) + len(skipped)
    found = {weight.name: (weight.kind, weight.shape) for weight in weights}
    return found, {one.name: one.reason for one in skipped}


READERS = {  # operator → node, initializers, and what becomes of "w"
    "Conv": (node("Conv", ["x", "w", "b"], ["y"]), [held("w", 4, 3, 2, 2), held("b", 4)], "conv"),
    "ConvTranspose": (node("ConvTranspose", ["x", "w"], ["y"]), [held("w", 3, 4, 2, 2)], "conv"),
    "MatMul": (node("MatMul", ["x", "w"], ["y"]), [held("w", 8, 5)], "fc"),
    "MatMul, left": (node("MatMul", ["w", "x"], ["y"]), [held("w", 5, 8)], "fc"),
    "Gemm": (node("Gemm", ["x", "w", "b"], ["y"]), [held("w", 8, 5), held("b", 5)], "fc"),
    "Gemm, transposed": (node("Gemm", ["x", "w"], ["y"], transB=1), [held("w", 5, 8)], "fc"),
    "Gather": (node("Gather", ["w", "i"], ["y"]), [held("w", 9, 4)], "embedding"),
    "LSTM": (
        node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=2),
        [held("w", 1, 8, 3), held("r", 1, 8, 2), held("b", 1, 16)],
        "rnn",
    ),
    "GRU": (
        node("GRU", ["x", "w", "r"], ["y"], hidden_size=2),
        [held("w", 1, 6, 3), held("r", 1, 6, 2)],
        "rnn",
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("how", ["initializer", "Constant"])
def test_a_weight_of_each_layer(reader, how):
    own, initializers, kind = READERS[reader]
    nodes = [own]
    if how == "Constant":
        nodes = [node("Constant", [], [one.name], value=one) for one in initializers] + nodes
    found, reasons = listed(model(nodes, initializers if how == "initializer" else ()))
    shapes = {one.name: tuple(one.dims) for one in initializers}
    is_turned = reader in ("MatMul", "Gemm")
    assert found["w"] == (kind, shapes["w"][::-1] if is_turned else shapes["w"])
    assert ("r" in found) == (kind == "rnn")
    assert reasons == ({"b": "a bias"} if "b" in shapes else {})


MOVES = {
    "Identity": (node("Identity", ["w"], ["m"]), (8, 5), (5, 8)),
    "Transpose": (node("Transpose", ["w"], ["m"], perm=[1, 0]), (5, 8), (5, 8)),
    "Reshape": (node("Reshape", ["w", "shape"], ["m"]), (5, 8), (5, 8)),
    "Cast": (node("Cast", ["w"], ["m"], to=TensorProto.FLOAT), (8, 5), (5, 8)),
    "Slice": (node("Slice", ["w", "zero", "five", "one"], ["m"]), (8, 6), (8, 6)),
    "Concat": (node("Concat", ["w", "w"], ["m"], axis=0), (4, 5), (4, 5)),
}


@pytest.mark.parametrize("move", MOVES)
def test_values_that_only_move_reach_their_layer(move):
    own, stored, shape = MOVES[move]
    helpers = {"shape": [8, 5], "zero": [0], "five": [5], "one": [1]}
    initializers = [
        numpy_helper.from_array(np.int64(array), name)
        for name, array in helpers.items()
        if name in own.input
    ]
    proto = model([own, node("MatMul", ["x", "m"], ["y"])], [held("w", *stored), *initializers])
    assert listed(proto) == ({"w": ("fc", shape)}, {})


REASONS = {
    "a bias": (node("Conv", ["x", "v", "w"], ["y"]), held("w", 4)),
    "a vector: too small to matter": (node("Mul", ["x", "w"], ["y"]), held("w", 8)),
    "nothing reads it": (node("Identity", ["x"], ["y"]), held("w", 4, 4)),
    "Add reads it, which is no conv, fc, embedding or rnn layer": (
        node("Add", ["x", "w"], ["y"]),
        held("w", 8, 8),
    ),
    "its numbers are int64, not floats": (
        node("MatMul", ["i", "w"], ["y"]),
        numpy_helper.from_array(np.ones((8, 8), np.int64), "w"),
    ),
    "empty": (node("MatMul", ["x", "w"], ["y"]), held("w", 8, 0)),
    "quantized already: DequantizeLinear reads it": (
        node("DequantizeLinear", ["w", "s"], ["y"]),
        numpy_helper.from_array(np.ones((2, 2), np.int8), "w"),
    ),
    "quantized already: MatMulInteger reads it": (
        node("MatMulInteger", ["i", "w"], ["y"]),
        numpy_helper.from_array(np.ones((2, 2), np.uint8), "w"),
    ),
    "quantized already: com.microsoft.MatMulNBits reads it": (
        node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft"),
        numpy_helper.from_array(np.ones((2, 2), np.uint8), "w"),
    ),
    "their.Op reads it, a custom operator": (
        node("Op", ["x", "w"], ["y"], domain="their"),
        held("w", 8, 8),
    ),
    "it is an output of a graph": (node("Identity", ["x"], ["z"]), held("y", 8, 8)),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_to_leave_a_tensor_alone(reason):
    own, tensor = REASONS[reason]
    assert listed(model([own], [tensor])) == ({}, {tensor.name: reason})


def test_a_tensor_that_a_custom_operator_shares_is_left_alone():
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Op", ["w"], ["y"], domain="their")]
    found, reasons = listed(model(nodes, [held("w", 8, 8)]))
    assert (found, reasons) == ({}, {"w": "their.Op reads it, a custom operator"})


def test_a_function_of_the_model_is_no_custom_operator():
    function = helper.make_function(
        "mine", "Op", ["a"], ["b"], [node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    proto = model(
        [node("Op", ["w"], ["y"], domain="mine")], [held("w", 8, 8)], functions=[function]
    )
    assert listed(proto)[1] == {"w": "mine.Op reads it, a function of the model"}


def test_a_sparse_tensor_is_told():
    proto = model([node("MatMul", ["x", "w"], ["y"])])
    sparse = proto.graph.sparse_initializer.add(dims=[8, 8])
    sparse.values.CopyFrom(held("w", 3))
    assert listed(proto) == ({}, {"w": "it is sparse, not a plain tensor"})


def test_a_weight_of_several_layers_comes_once():
    nodes = [
        node("Gather", ["w", "i"], ["e"]),
        node("Transpose", ["w"], ["t"]),
        node("MatMul", ["e", "t"], ["y"]),
    ]
    proto = model(nodes, [held("w", 9, 4)], [value("i", "n", kind=TensorProto.INT64)])
    assert listed(proto) == ({"w": ("embedding", (9, 4))}, {})


def test_weights_come_front_to_back_and_answer_to_several_names():
    nodes = [
        node("Conv", ["x", "b.weight"], ["m"], name="first"),
        node("Conv", ["m", "a.weight"], ["y"], name="second"),
    ]
    proto = model(nodes, [held("a.weight", 4, 4, 1, 1), held("b.weight", 4, 3, 1, 1)])
    weights, _ = OnnxNetwork(proto).weights()
    assert [weight.name for weight in weights] == ["b.weight", "a.weight"]
    assert weights[0].names == {"b.weight", "b", "first"}


def test_subgraphs_have_weights_of_their_own_and_read_those_around():
    def branch(name):
        nodes = [node("MatMul", ["x", "w"], [name]), node("MatMul", [name, "around"], ["out"])]
        return helper.make_graph(
            nodes, name, [], [helper.make_empty_tensor_value_info("out")], [held("w", 8, 8)]
        )

    own = node("If", ["?"], ["y"], name="choice", then_branch=branch("a"), else_branch=branch("b"))
    proto = model([own], [held("around", 8, 2)])
    found, _ = listed(proto)
    assert found == {
        "choice.then_branch/w": ("fc", (8, 8)),
        "choice.else_branch/w": ("fc", (8, 8)),
        "around": ("fc", (2, 8)),
    }


def test_graphs_without_anything():
    assert listed(model([], [])) == ({}, {})
    assert listed(model([node("Constant", [], ["y"], value_float=1.0)])) == ({}, {})

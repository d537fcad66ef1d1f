"""Sums of what a layer is given, against the layer's own products, place by place."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from compress.passes.onnx_network import OnnxNetwork
from tests.passes.onnx_graphs import held, model, node, value

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(0.3, 1, (5, 4, 9, 10)).astype(np.float32)
CONVOLUTIONS = [
    {},
    {"pads": [1, 0, 2, 1]},
    {"strides": [2, 1]},
    {"dilations": [1, 2], "pads": [1, 1, 1, 1]},
    {"group": 2, "strides": [2, 2]},
    {"group": 4, "pads": [1, 1, 1, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
    {"auto_pad": "VALID"},
]


def sums_of(proto, x):
    network = OnnxNetwork(proto)
    found = network.moments(network.weights()[0], (x,))
    assert network.notes == []
    return network, found


def energy(moments, weights):
    """Return the mean square of each output channel, as the sums tell."""
    rows = weights.reshape(len(moments.blocks[0]), -1, moments.blocks[0].shape[1])
    (block,) = moments.blocks
    return np.einsum("gmi,gij,gmj->gm", rows, block, rows).ravel() / moments.places


@pytest.mark.parametrize("how", CONVOLUTIONS, ids=str)
def test_of_a_convolution(how):
    """All places are looked at where an image has few: the sums tell the outputs' squares."""
    weights = held("w", 8, 4 // how.get("group", 1), 3, 3)
    proto = model([node("Conv", ["x", "w"], ["y"], **how)], [weights], [value("x", "n", 4, 9, 10)])
    network, found = sums_of(proto, IMAGES)
    (y,) = network.outputs((IMAGES,))
    assert found["w"].places == y.size // 8
    got = energy(found["w"], numpy_helper.to_array(weights))
    np.testing.assert_allclose(got, np.square(y).mean((0, 2, 3)), rtol=1e-4)


def test_of_a_convolution_in_one_dimension():
    weights, x = held("w", 6, 4, 3), RNG.normal(0, 1, (5, 4, 12)).astype(np.float32)
    own = node("Conv", ["x", "w"], ["y"], pads=[2, 0], strides=[2])
    network, found = sums_of(model([own], [weights], [value("x", "n", 4, 12)]), x)
    (y,) = network.outputs((x,))
    got = energy(found["w"], numpy_helper.to_array(weights))
    np.testing.assert_allclose(got, np.square(y).mean((0, 2)), rtol=1e-4)


def test_large_images_are_thinned():
    x = RNG.normal(0, 1, (2, 1, 100, 100)).astype(np.float32)
    own = node("Conv", ["x", "w"], ["y"])
    _, found = sums_of(model([own], [held("w", 1, 1, 1, 1)], [value("x", "n", 1, 100, 100)]), x)
    assert found["w"].places == 2 * 9 * 9  # 10,000 places at every twelfth of an axis
    expected = np.square(x[:, :, ::12, ::12], dtype=np.float64).sum()
    np.testing.assert_allclose(found["w"].blocks[0].ravel(), expected, rtol=1e-5)


LINEAR = {
    "MatMul": (node("MatMul", ["x", "w"], ["y"]), (6, 5), 0),
    "MatMul, left": (node("MatMul", ["w", "x"], ["y"]), (5, 7), 1),
    "Gemm": (node("Gemm", ["f", "w"], ["y"]), (42, 5), 0),
    "Gemm, transposed": (node("Gemm", ["f", "w"], ["y"], transB=1), (5, 42), 1),
    "Gemm, given transposed": (node("Gemm", ["g", "w"], ["y"], transA=1), (42, 5), 0),
    "Gemm, left": (node("Gemm", ["w", "g"], ["y"]), (5, 42), 1),
    "Gemm, left, transposed": (node("Gemm", ["w", "f"], ["y"], transA=1, transB=1), (42, 5), 0),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_of_a_linear_layer(kind):
    own, shape, axis = LINEAR[kind]
    x = RNG.normal(0.5, 1, (20, 7, 6)).astype(np.float32)
    nodes = [
        node("Flatten", ["x"], ["f"]),
        node("Transpose", ["f"], ["g"], perm=[1, 0]),
        own,
    ]
    _, found = sums_of(model(nodes, [held("w", *shape)], [value("x", "n", 7, 6)]), x)
    given = x.swapaxes(1, 2) if kind == "MatMul, left" else x
    rows = given.reshape(-1, shape[axis]).astype(np.float64)
    if kind == "MatMul":  # each token counts for as much as any other
        rows /= np.sqrt(np.square(rows).mean(1, keepdims=True))
    np.testing.assert_allclose(found["w"].blocks[0][0], rows.T @ rows, rtol=1e-4, atol=1e-3)
    assert found["w"].places == len(rows)


def test_many_inputs_come_in_blocks_and_many_places_are_thinned():
    x = RNG.normal(0, 1, (3, 600, 1500)).astype(np.float32)
    own = node("MatMul", ["x", "w"], ["y"])
    _, found = sums_of(model([own], [held("w", 1500, 2)], [value("x", "n", 600, 1500)]), x)
    assert [block.shape for block in found["w"].blocks] == [(1, 1024, 1024), (1, 476, 476)]
    assert found["w"].places == 3 * 600 // 2
    rows = x.reshape(-1, 1500)[::2]
    rows /= np.sqrt(np.square(rows).mean(1, keepdims=True))
    np.testing.assert_allclose(
        np.diag(found["w"].blocks[1][0]), np.square(rows)[:, 1024:].sum(0), rtol=1e-4
    )


def test_of_weights_that_several_layers_share():
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("MatMul", ["b", "w"], ["y"]),
    ]
    tensor, x = held("w", 4, 4), RNG.normal(0, 1, (9, 4)).astype(np.float32)
    _, found = sums_of(model(nodes, [tensor], [value("x", "n", 4)]), x)
    after = np.maximum(x @ numpy_helper.to_array(tensor), 0)
    np.testing.assert_allclose(found["w"].blocks[0][0], x.T @ x + after.T @ after, rtol=1e-4)
    assert found["w"].places == 18


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        ([node("ConvTranspose", ["x", "w"], ["y"])], [held("w", 4, 2, 2, 2)]),
        (
            [node("Conv", ["x", "w"], ["a"], group=2), node("Conv", ["a", "w"], ["y"])],
            [held("w", 4, 2, 1, 1)],
        ),
        (
            [node("Reshape", ["w", "s"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
            [held("w", 2, 10), numpy_helper.from_array(np.int64([10, 2]), "s")],
        ),
    ],
    ids=["transposed convolution", "of several forms", "reshaped"],
)
def test_other_layers_have_none(nodes, tensors):
    assert sums_of(model(nodes, tensors, [value("x", "n", 4, 9, 10)]), IMAGES)[1] == {}


def test_of_a_layer_within_a_subgraph_there_are_none():
    from onnx import helper

    branch = helper.make_graph(
        [node("MatMul", ["x", "w"], ["out"])],
        "b",
        [],
        [helper.make_empty_tensor_value_info("out")],
        [held("w", 10, 2)],
    )
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    zero = numpy_helper.from_array(np.float32(0), "zero")
    assert sums_of(model(nodes, [zero], [value("x", "n", 4, 9, 10)]), IMAGES)[1] == {}


def test_control_flow_between_layers_is_run_as_it_is():
    from onnx import helper

    def branch(operator):
        nodes = [node(operator, ["a"], ["out"])]
        return helper.make_graph(nodes, "b", [], [helper.make_empty_tensor_value_info("out")])

    nodes = [
        node("Conv", ["x", "v"], ["a"]),
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["b"], then_branch=branch("Neg"), else_branch=branch("Exp")),
        node("Conv", ["b", "w"], ["y"]),
    ]
    zero = numpy_helper.from_array(np.float32(0), "zero")
    tensors = [zero, held("v", 4, 4, 1, 1), held("w", 2, 4, 1, 1)]
    network, found = sums_of(model(nodes, tensors, [value("x", "n", 4, 9, 10)]), IMAGES)
    (y,) = network.outputs((IMAGES,))
    got = energy(found["w"], numpy_helper.to_array(tensors[2]))
    np.testing.assert_allclose(got, np.square(y).mean((0, 2, 3)), rtol=1e-4)

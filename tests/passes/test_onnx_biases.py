"""Biases of an ONNX graph: what may move, and how far; layers go by what those before them give."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from compress.passes import onnx_network
from compress.passes.onnx_network import OnnxNetwork
from tests.passes.onnx_graphs import held, model, node

RNG = np.random.default_rng(0)
X = RNG.normal(0.5, 1, (70, 3, 8, 8)).astype(np.float32)


def positive(name, *shape):
    return numpy_helper.from_array(RNG.uniform(0.5, 2, shape).astype(np.float32), name)


LAYERS = {
    "Conv": ([node("Conv", ["x", "w", "b"], ["y"])], [held("w", 4, 3, 3, 3), held("b", 4)]),
    "ConvTranspose": (
        [node("ConvTranspose", ["x", "w", "b"], ["y"], group=3)],
        [held("w", 3, 2, 3, 3), held("b", 6)],
    ),
    "MatMul and Add": (
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["b", "m"], ["y"])],
        [held("w", 8, 5), held("b", 5)],
    ),
    "Conv and Add": (
        [node("Conv", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
        [held("w", 4, 3, 3, 3), held("b", 1, 4, 1, 1)],
    ),
    "Gemm": (
        [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"], beta=0.5)],
        [held("w", 192, 5), held("b", 5)],
    ),
    "Gemm, transposed": (
        [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"], transB=1, alpha=2.0)],
        [held("w", 5, 192), held("b", 1, 5)],
    ),
}


def disturbed(network, by=0.1):
    """Change all weights, and so the means of channels."""
    for weight in network.weights()[0]:
        weight.set_values(weight.values() + np.float32(by))


def channels(y):
    return (
        y.mean((0, 2, 3)) if y.ndim == 4 and y.shape[1] > 3 else y.reshape(-1, y.shape[-1]).mean(0)
    )


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("how", ["initializer", "Constant"])
def test_means_come_back(layer, how):
    nodes, tensors = LAYERS[layer]
    if how == "Constant":
        nodes = [node("Constant", [], [one.name], value=one) for one in tensors] + nodes
    network = OnnxNetwork(model(nodes, tensors if how == "initializer" else ()))
    assert list(network.vectors()) == ["b"]
    (before,) = network.outputs((X,))
    levels = network.levels((X,))
    disturbed(network)
    assert np.abs(channels(network.outputs((X,))[0]) - channels(before)).max() > 0.1
    old = network.vectors()
    assert network.correct((X,), levels) == 1
    (after,) = network.outputs((X,))
    np.testing.assert_allclose(channels(after), channels(before), atol=2e-4)
    network.set_vectors(old)
    assert np.abs(channels(network.outputs((X,))[0]) - channels(before)).max() > 0.1


def test_a_batch_normalization_has_both_statistics_moved():
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", "s", "o", "mean", "var"], ["y"]),
    ]
    tensors = [held("w", 4, 3, 3, 3), positive("s", 4), held("o", 4), held("mean", 4)]
    network = OnnxNetwork(model(nodes, [*tensors, positive("var", 4)]))
    assert list(network.vectors()) == ["mean", "var"]
    (before,) = network.outputs((X[:64],))
    levels = network.levels((X[:64],))
    for weight in network.weights()[0]:
        weight.set_values(weight.values() * np.float32(1.2) + np.float32(0.05))
    assert network.correct((X[:64],), levels) == 1
    (after,) = network.outputs((X[:64],))
    again = network.levels((X[:64],))
    np.testing.assert_allclose(again.found[0][0], levels.found[0][0], atol=1e-4)
    np.testing.assert_allclose(after.std((0, 2, 3)), before.std((0, 2, 3)), rtol=1e-3)


def test_a_layer_goes_by_what_the_corrected_ones_before_it_give():
    """The first layer's bias takes its whole shift back, so that nothing is left to the second."""
    nodes = [
        node("Conv", ["x", "v", "a"], ["h"]),
        node("Conv", ["h", "w", "b"], ["y"]),
    ]
    tensors = [held("v", 4, 3, 1, 1), held("a", 4), held("w", 2, 4, 1, 1), held("b", 2)]
    network = OnnxNetwork(model(nodes, tensors))
    levels = network.levels((X[:64],))
    first, _ = network.weights()[0]
    first.set_values(first.values() + np.float32(0.2))
    old = network.vectors()
    assert network.correct((X[:64],), levels) == 2
    assert np.abs(network.vectors()["a"] - old["a"]).min() > 0.05
    np.testing.assert_allclose(network.vectors()["b"], old["b"], atol=1e-5)


def test_what_several_layers_add_gets_the_mean_of_what_they_ask_for():
    nodes = [
        node("Conv", ["x", "w", "b"], ["p"]),
        node("Neg", ["x"], ["n"]),
        node("Conv", ["n", "w", "b"], ["q"]),
        node("Add", ["p", "q"], ["y"]),
    ]
    network = OnnxNetwork(model(nodes, [held("w", 4, 3, 1, 1), held("b", 4)]))
    levels = network.levels((X[:64],))
    old = network.vectors()["b"]
    disturbed(network)
    assert network.correct((X[:64],), levels) == 1
    np.testing.assert_allclose(network.vectors()["b"], old, atol=1e-5)  # one asks, one asks back


CUTS = {
    "Relu": [node("Relu", ["h"], ["y"])],
    "Clip": [node("Clip", ["h", "low", "high"], ["y"])],
}


@pytest.mark.parametrize("cut", CUTS)
def test_behind_an_activation_that_cuts_its_mean_is_kept(cut):
    nodes = [node("Conv", ["x", "w", "b"], ["h"]), *CUTS[cut]]
    bounds = {"low": np.float32(-0.5), "high": np.float32(1)}
    used = [numpy_helper.from_array(bounds[name], name) for name in nodes[1].input[1:]]
    network = OnnxNetwork(model(nodes, [held("w", 4, 3, 3, 3), held("b", 4), *used]))
    x = X[:64]
    (before,) = network.outputs((x,))
    levels = network.levels((x,))
    for weight in network.weights()[0]:
        weight.set_values(weight.values() * np.float32(1.3) + np.float32(0.05))
    (changed,) = network.outputs((x,))
    assert np.abs(channels(changed) - channels(before)).max() > 0.1
    assert network.correct((x,), levels) == 1
    (after,) = network.outputs((x,))
    np.testing.assert_allclose(channels(after), channels(before), atol=0.01)


def test_channels_that_an_activation_never_lets_pass_stay():
    tensors = [held("w", 4, 3, 1, 1), numpy_helper.from_array(np.full(4, -99, np.float32), "b")]
    nodes = [node("Conv", ["x", "w", "b"], ["h"]), node("Relu", ["h"], ["y"])]
    network = OnnxNetwork(model(nodes, tensors))
    levels = network.levels((X,))
    disturbed(network)
    network.correct((X,), levels)
    np.testing.assert_array_equal(network.vectors()["b"], -99)


LEFT_ALONE = {
    "without a bias": ([node("Conv", ["x", "w"], ["y"])], [held("w", 4, 3, 3, 3)]),
    "no vector": (
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
        [held("w", 8, 5), held("b", 8, 5)],
    ),
    "not for each channel": (
        [node("Conv", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
        [held("w", 6, 3, 3, 3), held("b", 6)],
    ),
    "read elsewhere": (
        [
            node("Conv", ["x", "w", "b"], ["m"]),
            node("ReduceSum", ["b"], ["s"]),
            node("Add", ["m", "s"], ["y"]),
        ],
        [held("w", 4, 3, 3, 3), held("b", 4)],
    ),
    "the layer read elsewhere": (
        [
            node("MatMul", ["x", "w"], ["m"]),
            node("Add", ["m", "b"], ["n"]),
            node("Mul", ["m", "n"], ["y"]),
        ],
        [held("w", 8, 5), held("b", 5)],
    ),
    "no constant": (
        [node("Exp", ["b"], ["e"]), node("Conv", ["x", "w", "e"], ["y"])],
        [held("w", 4, 3, 3, 3), held("b", 4)],
    ),
    "times nothing": (
        [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"], beta=0.0)],
        [held("w", 192, 5), held("b", 5)],
    ),
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_what_is_left_alone(why):
    network = OnnxNetwork(model(*LEFT_ALONE[why]))
    assert network.vectors() == {}
    levels = network.levels((X,))
    disturbed(network)
    assert network.correct((X,), levels) == 0


@pytest.mark.parametrize("batch", [1, 24, 100])
def test_of_a_fixed_batch(batch):
    nodes, tensors = LAYERS["Conv"]
    proto = model(nodes, tensors)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    network, free = OnnxNetwork(proto), OnnxNetwork(model(nodes, tensors))
    for one in (network, free):
        levels = one.levels((X[:48],))
        disturbed(one)
        assert one.correct((X[:48],), levels) == 1
    tolerance = 1e-5 if batch < 100 else 0.1  # one sample stands in for those that are missing
    np.testing.assert_allclose(network.vectors()["b"], free.vectors()["b"], atol=tolerance)


def test_little_room_makes_small_batches(monkeypatch):
    nodes, tensors = LAYERS["Conv"]
    network = OnnxNetwork(model(nodes, tensors))
    (before,) = network.outputs((X,))
    monkeypatch.setattr(onnx_network, "_ROOM", 1 << 13)
    levels = network.levels((X,))
    assert 1 <= levels.batch < 16
    disturbed(network)
    assert network.correct((X,), levels) == 1
    np.testing.assert_allclose(channels(network.outputs((X,))[0]), channels(before), atol=1e-3)

"""The passes on an ONNX file, without torch; where there is torch, the same as on its module."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from compress.artifact import convert
from compress.passes.context import Context
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.prune import prune
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings, TargetBytesSettings
from compress.passes.target_bytes import to_size
from compress.passes.targets import bits_targets, sparsity_targets
from tests import needs
from tests.passes.onnx_graphs import held, model, node, value

RNG = np.random.default_rng(0)
X = np.maximum(RNG.normal(0.5, 1, (60, 3, 8, 8)), 0).astype(np.float32)


def network(kind=np.float32):
    """Return a small network of convolutions and a linear layer."""
    nodes = [
        node("Conv", ["x", "a.w", "a.b"], ["h1"], pads=[1, 1, 1, 1], name="a"),
        node("Relu", ["h1"], ["h2"]),
        node("Conv", ["h2", "d.w", "d.b"], ["h3"], group=12, name="d"),
        node("Relu", ["h3"], ["h4"]),
        node("GlobalAveragePool", ["h4"], ["h5"]),
        node("Flatten", ["h5"], ["h6"]),
        node("MatMul", ["h6", "f.w"], ["h7"], name="f"),
        node("Add", ["h7", "f.b"], ["y"]),
    ]
    if kind == np.float16:
        nodes = [
            node("Cast", ["x"], ["half"], to=10),
            *nodes[:-1],
            node("Add", ["h7", "f.b"], ["s"]),
            node("Cast", ["s"], ["y"], to=1),
        ]
        nodes[1].input[0] = "half"
    shapes = {
        "a.w": (12, 3, 3, 3), "a.b": (12,), "d.w": (12, 1, 3, 3), "d.b": (12,), "f.w": (12, 10),
        "f.b": (10,),
    }  # fmt: skip
    return model(nodes, [held(name, *shape, kind=kind) for name, shape in shapes.items()])


def samples(n):
    return (X[:n],)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize("context", [Context(), Context(samples=samples)], ids=["blind", "seen"])
def test_pruned_and_shared(kind, context):
    proto = network(kind)
    own = OnnxNetwork(proto)
    pruned = prune(own, PruneSettings(sparsity=sparsity_targets("0.5")), context)
    assert pruned.sparsity == pytest.approx(0.5, abs=0.01)
    zeros = {weight.name: weight.values() == 0 for weight in own.weights()[0]}
    shared = quantize(own, QuantizeSettings(bits=bits_targets("conv=4,fc=3"), samples=48), context)
    assert {layer.name for layer in shared.layers} == {"a.w", "d.w", "f.w"}
    assert {one.name: one.reason for one in shared.skipped}["a.b"] == "a bias"
    written = ModelProto.FromString(own.model.data())
    assert len(written.SerializeToString()) == len(proto.SerializeToString())
    for before, after in zip(proto.graph.initializer, written.graph.initializer, strict=True):
        assert before.data_type == after.data_type
        if after.name in zeros:
            values = numpy_helper.to_array(after)
            assert len(np.unique(values[values != 0])) <= (8 if after.name == "f.w" else 16)
    for weight in own.weights()[0]:
        assert (weight.values() == 0)[zeros[weight.name]].all()
    written.graph.ClearField("initializer")
    proto.graph.ClearField("initializer")
    assert written == proto


def test_samples_bring_outputs_nearer():
    proto, drifts = network(), []
    for context in (Context(), Context(samples=samples)):
        own = OnnxNetwork(proto)
        (before,) = own.outputs((X,))
        quantize(own, QuantizeSettings(bits=bits_targets("3"), samples=48), context)
        (after,) = own.outputs((X,))
        drifts.append(np.square(after - before).sum() / np.square(before - before.mean(0)).sum())
    assert drifts[1] < drifts[0] / 2


def test_shared_to_a_size(tmp_path):
    own = OnnxNetwork(network())

    def file_bytes(changed):
        (path,) = changed.model.write(tmp_path / "net.onnx")
        convert.pack(path, tmp_path / "net.safetensors", force=True)
        return (tmp_path / "net.safetensors").stat().st_size

    target = int(0.8 * file_bytes(own))
    context = Context(samples=samples, file_bytes=file_bytes)
    passed = to_size(own, TargetBytesSettings(target_bytes=target, samples=48), context)
    assert file_bytes(own) <= target
    assert passed.nonzero


def test_the_same_as_torch_on_the_network_that_was_exported(tmp_path):
    needs.module("torch")
    import torch
    from torch import nn

    from compress.export.onnx import export
    from compress.export.settings import OnnxSettings
    from compress.passes.torch_network import TorchNetwork

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Tanh(),  # behind an activation that cuts, its mean is kept, which torch does not
        nn.Conv2d(8, 8, 5, groups=4, padding=(2, 1), dilation=(1, 2), bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 2, stride=2),
        nn.Flatten(2),
        nn.Conv1d(6, 5, 3, padding=1),
        nn.Linear(320, 40),
        nn.Flatten(1),
        nn.Linear(200, 10),
    ).eval()
    with torch.no_grad():
        module[3].running_mean.normal_()
        module[3].running_var.uniform_(0.5, 2)
    x = torch.randn(70, 3, 40, 40)
    path = tmp_path / "net.onnx"
    example = torch.randn(2, 3, 40, 40)
    shape = module[:7](example).shape
    module[8] = nn.Linear(shape[2], 40)
    export(module, [example], path, OnnxSettings())
    ours, theirs, given = OnnxNetwork(path), TorchNetwork(module), (x.numpy(),)
    weights, others = ours.weights()[0], theirs.weights()[0]
    assert {w.name: (w.kind, w.shape) for w in weights} == {
        w.name: (w.kind, w.shape) for w in others
    }
    for one, other in zip(ours.outputs(given), theirs.outputs(given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    sums, expected = ours.moments(weights, given), theirs.moments(others, given)
    assert sums.keys() == expected.keys()
    for name, moments in expected.items():
        assert sums[name].places == moments.places
        for one, other in zip(sums[name].blocks, moments.blocks, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    levels, their_levels = ours.levels(given), theirs.levels(given)
    for pair in zip(sorted(weights, key=name_of), sorted(others, key=name_of), strict=True):
        noise = np.random.default_rng(1).normal(0.01, 0.05, math.prod(pair[0].shape))
        for weight in pair:
            weight.set_values((weight.values() + noise).astype(np.float32))
    assert ours.correct(given, levels) == theirs.correct(given, their_levels)
    state = module.state_dict()
    for name, vector in ours.vectors().items():
        np.testing.assert_allclose(vector, state[name].numpy(), rtol=1e-3, atol=1e-4)


def name_of(weight):
    return weight.name


def test_what_cannot_be_done_on_a_network_is_told():
    """A value between layers that is no tensor: outputs are there, what layers are given is not."""
    nodes = [
        node("SequenceConstruct", ["x", "x"], ["s"]),
        node("Conv", ["x", "w", "b"], ["h"]),
        node("SequenceAt", ["s", "zero"], ["t"]),
        node("Add", ["t", "h"], ["u"]),
        node("Conv", ["u", "v"], ["y"]),
    ]
    tensors = [held("w", 3, 3, 1, 1), held("b", 3), held("v", 2, 3, 1, 1)]
    zero = numpy_helper.from_array(np.int64(0), "zero")
    own = OnnxNetwork(model(nodes, [*tensors, zero]))
    passed = quantize(
        own, QuantizeSettings(bits=bits_targets("2"), samples=48), Context(samples=samples)
    )
    assert [note for note in passed.notes if "is no tensor" in note]


def test_samples_take_the_type_of_a_network_of_half_floats():
    nodes = [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Relu", ["h"], ["y"])]
    tensors = [held("w", 9, 16, kind=np.float16), held("b", 9, kind=np.float16)]
    given = [value("x", "n", 16, kind=TensorProto.FLOAT16)]
    network = OnnxNetwork(model(nodes, tensors, inputs=given))
    rows = np.abs(RNG.normal(1, 1, (250, 16))).astype(np.float32)
    settings = PruneSettings(sparsity=sparsity_targets("0.5"))
    passed = prune(network, settings, Context(samples=lambda n: (rows[:n],), scores=False))
    assert passed.notes == ()
    assert not np.array_equal(network.vectors()["b"], numpy_helper.to_array(tensors[1]))

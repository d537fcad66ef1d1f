"""Activations that cut what layers give, as a mode of torch sees them."""

from __future__ import annotations

import copy
from math import inf

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.torch_behind import cut_behind
from compress.passes.torch_levels import channel_levels, correct_biases
from compress.passes.torch_network import TorchNetwork

SAMPLES = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A convolution, and what is done with what it gives."""

    def __init__(self, behind):
        super().__init__()
        self.conv, self.behind = nn.Conv2d(3, 4, 3), behind

    def forward(self, given):
        return self.behind(self.conv(given))


def written(given):
    given[:, 0] = 5
    return given


CUTS = {
    "a module": (nn.ReLU(), (0.0, inf)),
    "a module in place": (nn.Sequential(nn.ReLU(inplace=True), nn.AvgPool2d(2)), (0.0, inf)),
    "ReLU6 in place": (nn.Sequential(nn.ReLU6(inplace=True), nn.AvgPool2d(2)), (0.0, 6.0)),
    "Hardtanh": (nn.Hardtanh(-2.0, 3.0), (-2.0, 3.0)),
    "a method": (lambda h: h.relu().mean(), (0.0, inf)),
    "a method in place": (lambda h: h.relu_() + 1, (0.0, inf)),
    "a function": (lambda h: functional.relu(h), (0.0, inf)),
    "a function with one bound": (lambda h: torch.clamp(h, max=1.5), (-inf, 1.5)),
    "clip": (lambda h: h.clip(-1, 1), (-1, 1)),
    "its shape is asked for": (lambda h: h.relu().reshape(h.shape[0], -1), (0.0, inf)),
    "another activation": (nn.SiLU(), None),
    "a bound for each": (lambda h: h.clamp(min=torch.zeros(4, 1, 1)), None),
    "two readers": (lambda h: h.relu() + h, None),
    "returned, too": (lambda h: (h.relu(), h), None),
    "a bound and a sum": (lambda h: h.relu().sum() + h.sum(), None),
    "read as a list": (lambda h: h.relu() + len(h.tolist()), None),
    "read by numpy": (lambda h: h.relu() + float(h.numpy().sum()), None),
    "written to": (lambda h: written(h).relu(), None),
    "no reader": (lambda h: h, None),
    "a view between": (lambda h: h.flatten(1).relu(), None),
}


@pytest.mark.parametrize("name", CUTS)
def test_what_is_behind(name):
    behind, bounds = CUTS[name]
    found = cut_behind(Net(behind), (SAMPLES,))
    assert found == ({} if bounds is None else {"conv": bounds})


def test_calls_that_differ_count_as_none():
    class Twice(Net):
        def forward(self, given):
            return self.conv(given).relu().sum() + self.conv(given).sigmoid().sum()

    assert cut_behind(Twice(None), (SAMPLES,)) == {}


def test_layers_without_a_bias_or_a_call_have_none():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU())
    net.unused = nn.Linear(2, 2)
    net.forward = lambda given: net[1](net[0](given))
    assert cut_behind(net, (SAMPLES,)) == {}


def changed(network, shift=0.05):
    for weight in network.weights()[0]:
        weight.set_values(weight.values() * np.float32(1.2) + np.float32(shift))


def test_an_onnx_file_moves_its_biases_alike(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 5, 3),
        nn.ReLU6(),
        nn.Conv2d(5, 4, 3),
    ).eval()
    export(net, (SAMPLES[:2],), tmp_path / "net.onnx", OnnxSettings())
    samples = (SAMPLES.numpy(),)
    networks = TorchNetwork(copy.deepcopy(net)), OnnxNetwork(tmp_path / "net.onnx")
    means, moved = [], []
    for network in networks:
        (before,) = network.outputs(samples)
        levels = network.levels(samples)
        old = network.vectors()
        changed(network)
        assert network.correct(samples, levels) == 3
        (after,) = network.outputs(samples)
        means.append(np.abs(after.mean((0, 2, 3)) - before.mean((0, 2, 3))).max())
        new = network.vectors()
        moved.append(np.sort(np.concatenate([(new[name] - old[name]) for name in old])))
    assert max(means) < 1e-3
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.ReLU6()).to(dtype)
    network = TorchNetwork(net.eval())
    given = [(SAMPLES.to(dtype),)]
    levels = channel_levels(net, given)
    before = net(SAMPLES.to(dtype)).float().mean((0, 2, 3))
    changed(network, 0.01)
    assert correct_biases(net, given, levels) == 2
    after = net(SAMPLES.to(dtype))
    assert after.dtype == dtype
    torch.testing.assert_close(after.float().mean((0, 2, 3)), before, rtol=0, atol=0.02)


def test_a_layer_that_is_given_nothing_stays():
    class Empty(Net):
        def forward(self, given):
            return self.conv(given[:0]).relu().sum() + given.sum((1, 2, 3))

    net = Empty(None).eval()
    levels = channel_levels(net, [(SAMPLES,)])
    assert correct_biases(net, [(SAMPLES,)], levels) == 0

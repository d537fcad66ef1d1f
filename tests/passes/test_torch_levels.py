"""Biases that take a shift back."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from compress.passes import torch_levels

SAMPLES = torch.rand(64, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def channel_levels(model, samples):
    return torch_levels.channel_levels(model, ((batch,) for batch in samples.split(64)))


def correct_biases(model, samples, levels):
    given = ((batch,) for batch in samples.split(64))
    return torch_levels.correct_biases(model, given, levels)


class Twice(nn.Module):
    """A convolution and a BatchNorm that are called twice, on different things."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)

    def forward(self, given):
        return self.norm(self.conv(self.norm(self.conv(given)).relu() + 1))


class Odd(nn.Module):
    """Layers that are called by keyword, with no rows, without a batch, or not at all."""

    def __init__(self):
        super().__init__()
        self.norm, self.single = nn.BatchNorm2d(2), nn.Conv1d(2, 3, 2)
        self.empty, self.unused = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, given):
        none = self.empty(given[:0]).sum()
        return self.norm(input=given).sum((1, 2, 3)) + self.single(given[0, :, 0]).sum() + none


NETWORKS = {
    "BatchNorm": lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Conv2d(5, 5, 3, groups=5, bias=False), nn.BatchNorm2d(5, affine=False), nn.ReLU(),
    ),
    "BatchNorm behind a bias": lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5, eps=0.1), nn.ReLU(), nn.Conv2d(5, 3, 3)
    ),
    "BatchNorm1d": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(72, 9, bias=False), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 4)
    ),
    "LayerNorm": lambda: nn.Sequential(
        nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 3)
    ),
    "GroupNorm": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2)
    ),
}  # fmt: skip


def made(make):
    """Return a network whose BatchNorms know what they are given, and one with a shift."""
    torch.manual_seed(0)
    model = make().train()
    for _ in range(20):
        model(SAMPLES)
    changed = copy.deepcopy(model.eval())
    with torch.no_grad():
        for parameter in changed.parameters():
            if parameter.ndim > 1:
                parameter += 0.03  # a shift that grows with the inputs' means
    return model, changed.eval()


@torch.inference_mode()
def error(model, other, samples=SAMPLES):
    return float((model(samples) - other(samples)).square().mean())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_batches", [1, 2, 4])
def test_a_shift_is_taken_back_once(name, n_batches):
    """Batches that ask for the same are told apart from one in nothing."""
    model, changed = made(NETWORKS[name])
    before = error(model, changed)
    samples = SAMPLES.repeat(n_batches, 1, 1, 1)
    levels = channel_levels(model, samples)
    assert len(levels) == n_batches
    assert correct_biases(changed, samples, levels) == len(levels[0])
    assert error(model, changed) < 0.5 * before
    for name, (wanted,) in levels[0].items():
        (found,) = channel_levels(changed, SAMPLES)[0][name]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_batches_of_samples_are_averaged():
    model, changed = made(NETWORKS["BatchNorm"])
    samples = torch.rand(150, 2, 6, 6, generator=torch.Generator().manual_seed(2))
    levels = channel_levels(model, samples)
    assert len(levels) == 3
    before = error(model, changed, samples)
    correct_biases(changed, samples, levels)
    assert error(model, changed, samples) < 0.5 * before


def test_a_layer_that_is_called_twice_gets_the_mean_of_what_its_calls_ask_for():
    model, changed = made(Twice)
    samples = SAMPLES.repeat(20, 1, 1, 1)
    levels = channel_levels(model, samples)
    assert {name: len(calls) for name, calls in levels[0].items()} == {"conv": 2, "norm": 2}

    def left():
        found = channel_levels(changed, SAMPLES)[0]["conv"]
        return (sum(found) - sum(levels[0]["conv"])).abs().sum()

    before = left()
    correct_biases(changed, samples, levels)
    assert left() < 0.3 * before


def test_layers_that_are_called_in_other_ways():
    model, changed = made(Odd)
    kept = copy.deepcopy(changed.state_dict())
    assert correct_biases(changed, SAMPLES, channel_levels(model, SAMPLES)) == 2
    moved = {n for n, held in changed.state_dict().items() if not torch.equal(held, kept[n])}
    assert moved == {"single.bias"}  # the BatchNorm is given the samples themselves


def test_what_does_not_change_keeps_its_biases():
    model, _ = made(NETWORKS["BatchNorm behind a bias"])
    kept = copy.deepcopy(model.state_dict())
    correct_biases(model, SAMPLES, channel_levels(model, SAMPLES))
    for name, held in model.state_dict().items():
        torch.testing.assert_close(held, kept[name], rtol=0, atol=1e-6)

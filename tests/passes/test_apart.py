"""Samples held apart, and steps that are kept only where they help there."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from compress.passes.apart import held_apart, in_all, least
from compress.passes.context import Context
from compress.passes.settings import TargetBytesSettings
from compress.passes.target_bytes import to_size
from compress.passes.torch_network import TorchNetwork


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8),
        nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4, 12), nn.LayerNorm(12), nn.Linear(12, 5),
    ).eval()  # fmt: skip


def images(n, seed=1):
    return torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(seed))


def shared(model, given, **settings):
    """Share at the codebooks of one price: a file that takes what is asked for ends the search."""
    samples = None if given is None else lambda n: (given.numpy()[:n],)
    context = Context(file_bytes=lambda _: 500, samples=samples)
    return to_size(TorchNetwork(model), TargetBytesSettings(target_bytes=500, **settings), context)


def apart_of(model, samples, scores=True):
    return held_apart(TorchNetwork(model), (samples.numpy(),), used=200, scores=scores)


def alike(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


class Sum(nn.Module):
    def forward(self, first, second):
        return {"sum": first + second, "place": second}


def test_every_fifth_sample_is_held_apart():
    samples = (np.arange(25, dtype=np.float32), np.arange(25) * 10)
    seen, apart = held_apart(TorchNetwork(Sum()), samples, used=20, scores=True)
    assert apart.samples[0].tolist() == [4, 9, 14, 19, 24]
    assert apart.samples[1].tolist() == [40, 90, 140, 190, 240]
    assert sorted([*seen[0].tolist(), *apart.samples[0].tolist()]) == list(range(25))


@pytest.mark.parametrize("used", [1, 16, 17, 200])
def test_samples_in_all_leave_as_many_as_steps_use(used):
    samples = torch.zeros(in_all(used), 1)
    divided = apart_of(nn.Linear(1, 1), samples, scores=False)
    assert divided is not None
    assert len(divided[0][0]) >= used
    assert in_all(0) == 0


@pytest.mark.parametrize("n", [1, least() - 1])
def test_too_few_samples_are_told(n):
    model, without = network(), network()
    done = shared(model, images(n))
    shared(without, None)
    assert alike(model, without)
    assert done.notes == (
        f"{n} samples are too few to correct errors on and to judge that: "
        f"nothing is corrected with fewer than {least()}",
    )
    assert shared(network(), images(n), samples=0).notes == ()
    assert shared(network(), images(least())).layers


def test_divergence_of_scores_is_that_of_their_chances():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.zero_()
    _, apart = apart_of(model, torch.ones(20, 2), scores=True)
    assert apart.divergence(TorchNetwork(model)) == 0
    with torch.no_grad():
        model[0].weight[1] = math.log(3) / 2
    assert apart.divergence(TorchNetwork(model)) == pytest.approx(0.143841, rel=1e-4)


@pytest.mark.parametrize(
    "outputs", [lambda x: x[:, :1], lambda x: x[:, :, None], lambda x: (x[:, 0], [x[:, 1:, None]])]
)
def test_divergence_of_other_outputs_is_the_part_of_their_squares(outputs):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, given):
            return outputs(self.scale * given)

    model = Scaled()
    _, apart = apart_of(model, torch.rand(40, 3), scores=True)
    n_outputs = len(apart.outputs)
    with torch.no_grad():
        model.scale.fill_(1.1)
    assert apart.divergence(TorchNetwork(model)) == pytest.approx(0.01 * n_outputs, rel=1e-3)


def test_embeddings_are_no_scores():
    model = nn.Linear(3, 4)
    _, apart = apart_of(model, torch.rand(20, 3), scores=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2
    assert apart.divergence(TorchNetwork(model)) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_steps_make_it_no_worse_where_they_did_not_look(seed):
    samples, lost = images(60, seed), {}
    for n in (0, 200):
        model = network(seed)
        _, apart = apart_of(model, samples, scores=True)
        shared(model, samples, samples=n)
        lost[n] = apart.divergence(TorchNetwork(model))
    assert lost[200] <= lost[0]


def test_steps_that_learn_what_does_not_hold_elsewhere_are_left_out():
    """What is seen is one input over and over; what is held apart has nothing of it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64))
    samples = torch.ones(100, 64)
    samples[4::5] = torch.randn(20, 64)
    samples[4::5] -= samples[4::5].mean(1, keepdim=True)
    changed, without = copy.deepcopy(model), copy.deepcopy(model)
    done = shared(changed, samples)
    shared(without, samples, samples=0)
    assert alike(changed, without)
    assert [note.partition(" is left out")[0] for note in done.notes] == [
        "letting errors cancel",
        "moving biases",
    ]
    assert all(layer.note is None for layer in done.layers)


def test_outputs_that_are_not_finite_prove_nothing():
    model, without, samples = network(), network(), images(40)
    samples[4] = math.inf
    done = shared(model, samples)
    shared(without, samples, samples=0)
    assert alike(model, without)
    assert "would go from nan to nan" in done.notes[0]

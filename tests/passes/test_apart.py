"""Samples held apart, and steps that are kept only where they help there."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from compress.passes.apart import held_apart, in_all, least
from compress.passes.budget import share_to_size
from compress.passes.settings import BudgetSettings

NONE = {"compensated": 0, "corrected": 0}


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8),
        nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4, 12), nn.LayerNorm(12), nn.Linear(12, 5),
    ).eval()  # fmt: skip


def images(n, seed=1):
    return torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(seed))


def shared(model, samples, **settings):
    """Share at the codebooks of one price: a file that takes what is asked for ends the search."""
    return share_to_size(
        model,
        BudgetSettings(target_bytes=500, **settings),
        file_bytes=lambda _: 500,
        samples=samples,
        seed=0,
    )


def alike(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


class Sum(nn.Module):
    def forward(self, first, second):
        return {"sum": first + second, "place": second}


def test_every_fifth_sample_is_held_apart():
    samples = (torch.arange(25.0), torch.arange(25) * 10)
    seen, apart = held_apart(Sum(), samples, scores=True)
    assert apart.samples[0].tolist() == [4, 9, 14, 19, 24]
    assert apart.samples[1].tolist() == [40, 90, 140, 190, 240]
    assert sorted([*seen[0].tolist(), *apart.samples[0].tolist()]) == list(range(25))


@pytest.mark.parametrize("used", [1, 16, 17, 200])
def test_samples_in_all_leave_as_many_as_steps_use(used):
    samples = torch.zeros(in_all(used), 1)
    divided = held_apart(nn.Linear(1, 1), samples, scores=False)
    assert divided is not None
    assert len(divided[0][0]) >= used
    assert in_all(0) == 0


@pytest.mark.parametrize("n", [1, least() - 1])
def test_too_few_samples_are_told(n):
    model, without = network(), network()
    _, done = shared(model, images(n))
    shared(without, None)
    assert alike(model, without)
    assert done.notes == (
        f"{n} samples are too few to correct errors on and to judge that: "
        f"nothing is corrected with fewer than {least()}",
    )
    assert shared(network(), images(n), **NONE)[1].notes == ()
    assert shared(network(), images(least()))[1].layers


def test_divergence_of_scores_is_that_of_their_chances():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.zero_()
    _, apart = held_apart(model, torch.ones(20, 2), scores=True)
    assert apart.divergence(model) == 0
    with torch.no_grad():
        model[0].weight[1] = math.log(3) / 2
    assert apart.divergence(model) == pytest.approx(0.143841, rel=1e-4)


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
    _, apart = held_apart(model, torch.rand(40, 3), scores=True)
    n_outputs = len(apart.outputs[0])
    with torch.no_grad():
        model.scale.fill_(1.1)
    assert apart.divergence(model) == pytest.approx(0.01 * n_outputs, rel=1e-3)


def test_embeddings_are_no_scores():
    model = nn.Linear(3, 4)
    _, apart = held_apart(model, torch.rand(20, 3), scores=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2
    assert apart.divergence(model) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_no_step_makes_it_worse_where_it_was_not_seen(seed):
    samples, lost = images(60, seed), {}
    for name, settings in (("neither", NONE), ("cancel", {"corrected": 0}), ("both", {})):
        model = network(seed)
        _, apart = held_apart(model, samples, scores=True)
        shared(model, samples, **settings)
        lost[name] = apart.divergence(model)
    assert lost["both"] <= lost["cancel"] <= lost["neither"]


def test_steps_that_learn_what_does_not_hold_elsewhere_are_left_out():
    """What is seen is one input over and over; what is held apart has nothing of it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64))
    samples = torch.ones(100, 64)
    samples[4::5] = torch.randn(20, 64)
    samples[4::5] -= samples[4::5].mean(1, keepdim=True)
    changed, without = copy.deepcopy(model), copy.deepcopy(model)
    _, done = shared(changed, samples)
    shared(without, samples, **NONE)
    assert alike(changed, without)
    assert [note.partition(" is left out")[0] for note in done.notes] == [
        "compensated",
        "corrected",
    ]
    assert done.uncompensated == ()


def test_outputs_that_are_not_finite_prove_nothing():
    model, without, samples = network(), network(), images(40)
    samples[4] = math.inf
    _, done = shared(model, samples, compensated=0)
    shared(without, samples, **NONE)
    assert alike(model, without)
    assert "would go from nan to nan" in done.notes[0]

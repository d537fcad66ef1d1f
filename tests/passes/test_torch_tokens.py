"""Padding tells nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.passes.torch_network import TorchNetwork
from compress.passes.torch_tokens import at_tokens, level_of_tokens, of_one_size, tokens_in

IDS = torch.tensor([[5, 6, 7, 0], [8, 9, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ((IDS, MASK), MASK),
        ((IDS,), None),
        ((IDS, torch.zeros_like(IDS)), None),  # kinds of tokens: all of the first
        ((IDS, torch.tensor([[1, 0, 1, 0], [1, 1, 0, 0]])), None),
        ((torch.ones(2, 4),), None),
    ],
)
def test_a_mask_is_ones_and_then_zeros(batch, found):
    got = tokens_in(batch)
    assert got is None if found is None else torch.equal(got, found.bool())


def test_only_rows_of_tokens_are_left():
    values = torch.arange(24.0).view(2, 4, 3)
    assert at_tokens(values, MASK.bool()).tolist() == values.view(8, 3)[[0, 1, 2, 4, 5]].tolist()
    assert at_tokens(values[:, 1:], MASK.bool()).shape == (2, 3, 3)
    assert at_tokens(values, None) is values


class Texts(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.fc = nn.Embedding(10, 6), nn.Linear(6, 4)

    def forward(self, ids, mask):
        return self.fc(self.rows(ids)) * mask.unsqueeze(2)


def test_more_padding_changes_nothing():
    torch.manual_seed(0)
    network = TorchNetwork(Texts())
    weights, _ = network.weights()
    short = IDS.numpy(), MASK.numpy()
    wide = tuple(np.pad(given, ((0, 0), (0, 9))) for given in short)
    first, second = (network.moments(weights, given)["fc.weight"] for given in (short, wide))
    assert first.places == second.places == 5
    np.testing.assert_allclose(first.blocks[0], second.blocks[0], rtol=1e-6)
    for before, after in zip(network.levels(short), network.levels(wide), strict=True):
        torch.testing.assert_close(before["fc"], after["fc"])


def test_a_large_token_counts_no_more_than_others():
    tokens = torch.tensor([[1.0, 3.0], [3.0, 1.0], [200.0, 600.0]])
    sized = of_one_size(tokens)
    torch.testing.assert_close(sized[0], sized[2])
    torch.testing.assert_close(sized.square().mean(1), torch.ones(3))
    level = level_of_tokens(tokens[None])
    assert level.max() < 2.1
    assert torch.isfinite(level_of_tokens(torch.zeros(1, 3, 2))).all()


@torch.no_grad()
def test_a_shift_of_large_tokens_is_not_put_on_others():
    """Behind a LayerNorm an error of one large token counts as little as one of any other."""
    torch.manual_seed(0)
    given = torch.randn(32, 9, 8)
    given[:, 0] *= 200
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    network, samples = TorchNetwork(model), (given.numpy(),)
    before, levels = model(given), network.levels(samples)
    model[0].weight += 0.02 * torch.randn(8, 8)
    off = float((model(given) - before).square().mean())
    network.correct(samples, levels)
    assert float((model(given) - before).square().mean()) < 1.05 * off

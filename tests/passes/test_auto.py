"""The fewest bits that keep the metric."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import compress
from compress.errors import SettingsError
from compress.passes.context import Context
from compress.passes.quantize import quantize
from compress.passes.settings import QuantizeSettings
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 6)).eval()
    with torch.no_grad():
        model[2].weight *= 12
    return model


def samples(n):
    return (np.random.default_rng(0).standard_normal((650, 12)).astype(np.float32)[:n],)


def smallest(max_drop=1.0, **context):
    model = network()
    settings = QuantizeSettings(bits="auto", max_drop=max_drop)
    passed = quantize(TorchNetwork(model), settings, Context(samples=samples, **context))
    return model, passed


def entropy(model):
    bits = 0.0
    for weight in weights_of(model)[0]:
        _, counts = np.unique(weight.values(), return_counts=True)
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits


@torch.no_grad()
def test_more_loss_is_fewer_bits():
    dense = network()
    (given,) = map(torch.from_numpy, samples(650))
    chances, own = dense(given).softmax(1), dense(given).argmax(1)
    bits = []
    for max_drop in (0.5, 2.0, 8.0):
        model, passed = smallest(max_drop)
        now = model(given).argmax(1)
        rows = torch.arange(len(given))
        lost = 100 * (chances[rows, own] - chances[rows, now]).mean()
        assert lost < 1.3 * max_drop
        assert passed.figures["points_lost_at_most"] <= max_drop
        assert passed.figures["judged_by"] == "expectation"
        bits.append(entropy(model))
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < 0.8 * bits[0]


@pytest.mark.parametrize(("n", "by"), [(1_000_000, "metric"), (50, "expectation")])
def test_the_metric_is_asked_where_it_has_samples_enough(n, by):
    asked = []

    def drop(network):
        asked.append(network)
        return 0.0, n

    _, passed = smallest(drop=drop)
    assert passed.figures["judged_by"] == by
    assert len(asked) > 1 if by == "metric" else len(asked) == 1


def test_a_loss_that_nothing_keeps_is_told():
    _, passed = smallest(drop=lambda _: (7.5, 10**9))
    assert any("max_drop 1 is not kept for sure" in note for note in passed.notes)


def test_vectors_lose_what_their_squared_error_takes_from_a_correlation():
    model, passed = smallest(scores=False)
    (given,) = map(torch.from_numpy, samples(650))
    with torch.inference_mode():
        before, after = network()(given), model(given)
    part = float((before - after).square().sum() / before.square().sum())
    assert 0.002 < part < 0.012
    assert passed.figures["points_lost_at_most"] <= 1


@pytest.mark.parametrize("given", [None, lambda n: (np.zeros((n and 3, 12), np.float32),)])
def test_samples_are_needed(given):
    settings = QuantizeSettings(bits="auto")
    with pytest.raises(SettingsError, match="bits auto needs samples to judge by"):
        quantize(TorchNetwork(network()), settings, Context(samples=given))
    with pytest.raises(SettingsError, match="samples must be above 0 where bits are auto, got 0"):
        quantize(TorchNetwork(network()), QuantizeSettings(bits="auto", samples=0), Context())


def test_a_run_without_a_task_keeps_what_it_found(tmp_path, monkeypatch):
    """What a pass tells is kept as JSON, which takes Python's numbers alone."""
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    (given,) = samples(200)
    recipe = {"quantize": {"bits": "auto", "max_drop": 2}}
    report = compress.run(
        recipe, tmp_path / "run", model=network(), examples=(torch.from_numpy(given[:2]),),
        calibration=(given,),
    )  # fmt: skip
    assert report.ratio > 1


@pytest.mark.parametrize("factor", [2, 3.5])
def test_a_loss_that_hardly_grows_is_still_closed_in_on(factor):
    """One end would else creep, and all tries be spent at about one size."""
    tried = []
    limit = factor * entropy(smallest(8.0)[0])

    def drop(network):
        bits = entropy(network.model)
        tried.append(bits)
        return (1.2 if bits < limit else 0.05), 10**9

    smallest(1.0, drop=drop)
    kept = min(bits for bits in tried if bits >= limit)
    gone = max(bits for bits in tried if bits < limit)
    assert kept < 1.1 * gone

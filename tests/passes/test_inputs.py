"""What a layer's inputs tell of its errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from compress.kernels.rate import quantize
from compress.passes import torch_moments
from compress.passes.inputs import compensated, input_factors
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of

LAYERS = {
    "linear": (lambda: nn.Linear(6, 4), (3, 6)),
    "linear, a sequence": (lambda: nn.Linear(6, 4), (3, 5, 6)),
    "conv": (lambda: nn.Conv2d(3, 4, 3), (2, 3, 7, 6)),
    "stride, padding": (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 7, 6)),
    "dilation": (lambda: nn.Conv2d(3, 4, (3, 2), dilation=(2, 1)), (2, 3, 8, 6)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (2, 4, 5, 5)),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), (2, 4, 5, 5)),
    "same": (lambda: nn.Conv2d(3, 4, (3, 5), padding="same"), (2, 3, 6, 6)),
    "reflect": (lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (2, 3, 6, 6)),
    "one dimension": (lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), (2, 3, 11)),
}


def samples(shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def factors_of(model, given):
    return input_factors(TorchNetwork(model), weights_of(model)[0], (given.numpy(),))


@pytest.mark.parametrize("name", LAYERS)
@torch.inference_mode()
def test_weights_times_inputs_are_the_output(name):
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    layer, given = make(), samples(shape)
    layer.bias.zero_()
    groups = getattr(layer, "groups", 1)
    products = layer.weight.view(groups, len(layer.weight) // groups, -1) @ torch_moments._inputs(
        layer, given
    )
    output = layer(given)
    channel = 1 if groups > 1 or "Conv" in type(layer).__name__ else output.ndim - 1
    torch.testing.assert_close(
        products.flatten(0, 1), output.movedim(channel, 0).flatten(1), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(1, 1, 3), (2, 1, 66, 66)),
        (nn.Conv1d(1, 1, 3), (2, 1, 5000)),
        (nn.Linear(9, 1), (2, 5000, 9)),
    ],
)
def test_not_all_places_of_a_large_input_are_taken(layer, shape):
    taken = torch_moments._inputs(layer, samples(shape)).shape[2] / shape[0]
    assert 50 <= taken <= 520


def test_factors_invert_the_mean_outer_product():
    model, given = nn.Sequential(nn.Linear(5, 3)), samples((400, 5)) @ samples((5, 5), seed=2)
    (factor,) = factors_of(model, given)["0.weight"]
    assert sorted(factor.columns) == list(range(5))
    upper = factor.upper.astype(np.float64)
    assert (np.tril(upper, -1) == 0).all()
    product = (given.T @ given).double().numpy()[np.ix_(factor.columns, factor.columns)]
    assert (np.diff(np.diag(product)) <= 0).all()
    product += (0.01 + 5 / 400) * np.diag(product).mean() * np.eye(5)
    inverse = np.linalg.inv(product)
    np.testing.assert_allclose(
        upper.T @ upper / (upper.T @ upper)[0, 0], inverse / inverse[0, 0], rtol=1e-4
    )
    assert (1 / np.diag(upper) ** 2).mean() == pytest.approx(1)


def test_many_inputs_are_seen_in_blocks(monkeypatch):
    monkeypatch.setattr(torch_moments, "BLOCK", 8)
    model = nn.Sequential(nn.Conv2d(6, 4, 3, groups=2))
    factors = factors_of(model, samples((4, 6, 6, 6)))["0.weight"]
    for group in (0, 1):
        own = [factor.columns for factor in factors if factor.group == group]
        assert [len(columns) for columns in own] == [8, 8, 8, 3]
        assert sorted(np.concatenate(own)) == list(range(27))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Linear(48, 32), (48,)),
        (lambda: nn.Conv2d(6, 16, 3), (6, 7, 7)),
        (lambda: nn.Conv2d(12, 24, 3, groups=2), (12, 7, 7)),
        (lambda: nn.Conv1d(16, 16, 3), (16, 30)),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
@torch.no_grad()
def test_errors_cancel_on_other_inputs(make, shape, weighted):
    assert _ratio_of_errors(make, shape, weighted, 300) < 0.8


@torch.no_grad()
def test_few_samples_do_no_harm():
    assert _ratio_of_errors(lambda: nn.Linear(48, 32), (48,), False, 16) < 1.05


def _ratio_of_errors(make, shape, weighted, n):
    """Return the error of codes chosen together, as a part of that of codes chosen alone."""
    torch.manual_seed(0)
    model = nn.Sequential(make())
    (weight,) = weights_of(model)[0]
    channels = torch.randn(shape[0], shape[0]) @ samples((2 * n, shape[0], math.prod(shape[1:])))
    mixed = channels.reshape(2 * n, *shape) + 2 * torch.randn(2 * n, *(1 for _ in shape))
    factors = factors_of(model, mixed[:n])[weight.name]
    values = weight.values().copy()
    importance = np.full(len(values), 3, np.float32) if weighted else None
    alone = quantize(values, importance, 1e-4, 63)
    together = compensated(weight, values, importance, alone, factors)
    before, errors = model(mixed[n:]), []
    for found in (alone, together):
        table = np.append(found.centroids, np.float32(0))
        weight.parameter.copy_(torch.from_numpy(table[found.codes]).view(weight.parameter.shape))
        errors.append(float((model(mixed[n:]) - before).square().mean()))
    return errors[1] / errors[0]


def test_layers_without_known_inputs_have_no_factors():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)
            self.rows = nn.Embedding(3, 4)

        def forward(self, given):
            return self.used(given + self.rows.weight[0])

    model = Network()
    assert set(factors_of(model, samples((5, 4)))) == {"used.weight"}


class Odd(nn.Module):
    """Layers that are called in other ways than most."""

    def __init__(self):
        super().__init__()
        self.named, self.single, self.never_fed = (
            nn.Linear(6, 6),
            nn.Conv1d(2, 3, 2),
            nn.Linear(6, 6),
        )
        self.tied = nn.Linear(6, 6)
        self.tied.weight = self.named.weight
        self.rows, self.shared = nn.Embedding(6, 6), nn.Linear(6, 6)
        self.shared.weight = self.rows.weight

    def forward(self, given):
        one = self.single(given[0].reshape(2, 3)).sum()
        none = self.never_fed(given[:0]).sum()
        return self.shared(self.tied(self.named(input=given))) + one + none


def test_layers_that_are_called_in_other_ways():
    """By keyword, without a batch, with no rows, and twice; what an embedding shares is alone."""
    model, given = Odd(), samples((50, 6))
    factors = factors_of(model, given)
    assert set(factors) == {"named.weight", "single.weight"}
    alone = nn.Sequential(nn.Linear(6, 6))
    alone.load_state_dict({"0.weight": model.named.weight, "0.bias": model.named.bias})
    (first,) = factors_of(alone, given)["0.weight"]
    assert not np.allclose(first.upper, factors["named.weight"][0].upper)


def test_inputs_that_overflow_tell_nothing():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight.fill_(3e38)
    assert set(factors_of(model, samples((5, 4)))) == {"0.weight"}


def test_inputs_that_are_zero():
    model = nn.Sequential(nn.Linear(4, 4))
    (factor,) = factors_of(model, torch.zeros(5, 4))["0.weight"]
    np.testing.assert_allclose(factor.upper, np.eye(4), atol=1e-6)

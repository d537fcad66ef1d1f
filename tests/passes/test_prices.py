"""One price of a bit for all layers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from compress.kernels import rate
from compress.passes import prices
from compress.passes.prices import Curve, entropy_bytes
from compress.passes.sharing import SharedLayer
from compress.passes.weights import weights_of


def curve(*sizes, max_bits=8):
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(n, 50) for n in sizes))
    weights, _ = weights_of(model)
    return Curve([SharedLayer(w, w.values().copy(), None, ()) for w in weights], max_bits)


@pytest.fixture
def counted(monkeypatch):
    looked = []
    monkeypatch.setattr(prices, "each", lambda layers, one: looked.append(1) or _each(layers, one))
    return looked


def _each(layers, one):
    return {layer.weight.name: one(layer) for layer in layers}


@pytest.mark.parametrize("bits", [0.5, 1.5, 3, 5])
def test_the_entropy_is_what_was_asked_for(bits, counted):
    own = curve(300, 20, 90)
    wanted = bits * own.weights / 8
    price = own.price_of(wanted)
    assert 0.95 * wanted < own.entropy(price) <= wanted
    assert entropy_bytes(own.at(price)) == own.entropy(price)
    assert len(counted) <= 20


def test_a_search_goes_on_from_what_is_known(counted):
    own = curve(300)
    first = own.price_of(3 * own.weights / 8)
    before = len(counted)
    assert own.price_of(3 * own.weights / 8) == first
    assert len(counted) == before
    assert own.price_of(2.95 * own.weights / 8) > first
    assert len(counted) <= before + 4


def test_sizes_out_of_reach():
    own = curve(30, max_bits=3)
    assert own.price_of(-5) == own.high
    assert own.price_of(1e9) == own.low
    assert len(own.at(own.low)["0.weight"].centroids) <= 7
    assert own.entropy(own.low) == pytest.approx(3 * own.weights / 8, rel=0.2)


def test_a_price_is_that_of_the_kernel():
    own = curve(40)
    found = rate.quantize(own.layers[0].values, None, math.exp(own.high - 9), 255)
    np.testing.assert_array_equal(own.at(own.high - 9)["0.weight"].codes, found.codes)

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import DataError, SettingsError
from compress.kernels.rate import compensate, quantize


@pytest.fixture
def rng():
    """Return each test's own: none depends on which ran before it."""
    return np.random.default_rng(0)


def decoded(found):
    return np.append(found.centroids, 0)[found.codes].astype(np.float64)


def objective(values, importance, price, found):
    weights = 1.0 if importance is None else importance.astype(np.float64)
    return float((weights * (values - decoded(found)) ** 2).sum() + price * found.bits)


def test_bits_are_the_entropy_of_all_codes():
    values = np.float32([0, 0, 0, 0, 1, 1, -1, 2])
    found = quantize(values, None, 1e-6, 15)
    np.testing.assert_array_equal(decoded(found), values)
    assert found.codes.tolist() == [-1, -1, -1, -1, 1, 1, 0, 2]
    assert found.bits == pytest.approx(4 * 1 + 2 * 2 + 2 * 3)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_higher_price_takes_fewer_bits_and_errs_more(weighted, rng):
    values = rng.laplace(0, 0.05, 20_000).astype(np.float32)
    importance = rng.gamma(0.5, size=20_000).astype(np.float32) if weighted else None
    weights = 1.0 if importance is None else importance
    found = [quantize(values, importance, price, 255) for price in (1e-7, 1e-6, 1e-5, 1e-4)]
    bits = [q.bits for q in found]
    errors = [float((weights * (values - decoded(q)) ** 2).sum()) for q in found]
    assert bits == sorted(bits, reverse=True)
    assert errors == sorted(errors)


def test_it_beats_the_best_even_steps_at_the_same_price(rng):
    """What rate in the objective is for: no uniform quantizer reaches the same cost."""
    values, price = rng.laplace(0, 0.05, 20_000).astype(np.float32), 2e-5
    ours = objective(values, None, price, quantize(values, None, price, 255))
    for step in np.geomspace(0.003, 0.1, 40):
        codes = np.round(values / step).astype(int)
        counts = np.unique(codes, return_counts=True)[1]
        bits = -(counts * np.log2(counts / len(values))).sum()
        assert ours < ((values - step * codes) ** 2).sum() + price * bits


def test_importance_decides_where_errors_go(rng):
    values = rng.normal(0, 1, 10_000).astype(np.float32)
    importance = np.where(np.arange(10_000) < 5_000, 10, 0.1).astype(np.float32)
    error = (values - decoded(quantize(values, importance, 0.01, 63))) ** 2
    assert error[:5_000].mean() < 0.5 * error[5_000:].mean()


@pytest.mark.parametrize("k", [1, 2, 7, 300])
def test_no_more_centroids_than_allowed(k, rng):
    values = rng.normal(size=3_000).astype(np.float32)
    found = quantize(values, None, 1e-12, k)
    assert len(found.centroids) <= k
    assert (np.diff(found.centroids) > 0).all()
    assert (found.centroids != 0).all()
    assert set(found.codes.tolist()) <= set(range(-1, len(found.centroids)))


def test_centroids_are_short(rng):
    found = quantize(rng.normal(size=5_000).astype(np.float32), None, 1e-3, 255)
    assert len(found.centroids) > 20
    assert (found.centroids.view(np.uint32) & ((1 << 12) - 1) == 0).all()


@pytest.mark.parametrize("values", [[], [0, 0], [3], [-2, -2], [1e-38, -1e-38], [1e30, 1]])
def test_odd_values(values):
    found = quantize(np.float32(values), None, 1e-9, 15)
    assert len(found.codes) == len(values)
    assert np.isfinite(found.centroids).all()


def test_what_is_checked():
    with pytest.raises(SettingsError, match="price must be above 0"):
        quantize(np.float32([1]), None, 0.0, 3)
    with pytest.raises(SettingsError, match="max_centroids"):
        quantize(np.float32([1]), None, 1.0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(bad):
    with pytest.raises(DataError, match="finite"):
        quantize(np.float32([1, bad, 2]), None, 1.0, 3)


def correlated(n, seed=3):
    """Return the upper factor of an inverse, and the matrix itself."""
    mixed = np.random.default_rng(seed).normal(size=(4 * n, n)) + 2
    product = mixed.T @ mixed / (4 * n)
    return np.linalg.cholesky(np.linalg.inv(product)).T.astype(np.float32), product


@pytest.mark.parametrize("weighted", [False, True])
def test_without_correlation_each_value_takes_its_cheapest_choice(weighted, rng):
    values = rng.laplace(0, 0.05, (50, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = 0
    importance = rng.gamma(2, size=values.shape).astype(np.float32) if weighted else None
    found = quantize(values.ravel(), None, 1e-5, 31)
    codes = compensate(values, importance, found.choices(), np.eye(40, dtype=np.float32))
    grid, costs = found.choices().grid, found.choices().costs
    weights = np.ones_like(values) if importance is None else importance
    errors = weights[..., None] * (values[..., None] - grid) ** 2 + costs
    best = grid[errors.argmin(2)]
    best[values == 0] = 0
    np.testing.assert_array_equal(np.append(found.centroids, 0)[codes], best.astype(np.float32))


def test_errors_of_a_row_cancel(rng):
    values = rng.laplace(0, 0.05, (50, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = 0
    before = values.copy()
    found = quantize(values.ravel(), None, 1e-4, 31)
    factor, product = correlated(40)
    codes = compensate(values, None, found.choices(), factor)
    np.testing.assert_array_equal(values, before)
    assert (codes[values == 0] == -1).all()
    alone = decoded(found).reshape(values.shape) - values
    together = np.append(found.centroids, 0)[codes] - values
    lost = [np.einsum("ri,ij,rj", error, product, error) for error in (alone, together)]
    assert lost[1] < 0.5 * lost[0]  # 0.2 to 0.32 with other numbers


def test_choices_cost_what_their_frequency_says():
    found = quantize(np.float32([0, 0, 1, 2]), None, 1e-6, 7)
    assert found.choices().grid.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.choices().costs, 1e-6 * np.array([1, 2, 2]))
    assert found.recoded(np.int16([0, 0, 1, 1])).bits == pytest.approx(4)

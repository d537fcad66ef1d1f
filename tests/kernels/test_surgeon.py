"""What is left of a weight, against least squares."""

from __future__ import annotations

import numpy as np
import pytest

from compress.kernels.surgeon import reconstruct

RANDOM = np.random.default_rng(0)
N = 12
_MIXED = RANDOM.standard_normal((N, N))
PRODUCTS = _MIXED @ _MIXED.T + np.eye(N)  # of inputs that go together
FACTOR = np.linalg.cholesky(np.linalg.inv(PRODUCTS)).T.astype(np.float32)
VALUES = RANDOM.standard_normal((40, N)).astype(np.float32)


def error(rebuilt):
    """Return the squared error of the products, by row."""
    off = VALUES.astype(np.float64) - rebuilt
    return np.einsum("ri,ij,rj->r", off, PRODUCTS, off)


def least_squares(keep):
    best = np.zeros(VALUES.shape)
    for row, (values, own) in enumerate(zip(VALUES.astype(np.float64), keep, strict=True)):
        places = np.flatnonzero(own)
        wanted = (values @ PRODUCTS)[places]
        best[row, places] = np.linalg.solve(PRODUCTS[np.ix_(places, places)], wanted)
    return best


@pytest.mark.parametrize("n_first", [1, 5, N - 1])
def test_where_the_first_columns_are_pruned_it_is_least_squares(n_first):
    keep = np.broadcast_to(np.arange(N) >= n_first, VALUES.shape)
    np.testing.assert_allclose(
        reconstruct(VALUES, keep, FACTOR), least_squares(keep), rtol=1e-3, atol=1e-4
    )


def test_elsewhere_it_is_between_that_and_the_weights_as_they_were():
    keep = RANDOM.random(VALUES.shape) < 0.5
    rebuilt = reconstruct(VALUES, keep, FACTOR)
    assert not rebuilt[~keep].any()
    assert error(rebuilt).sum() < error(VALUES * keep).sum()
    assert (error(rebuilt) >= error(least_squares(keep)) * (1 - 1e-4)).all()


def test_what_is_kept_whole_does_not_change():
    keep = np.ones(VALUES.shape, np.bool_)
    given = VALUES.copy()
    np.testing.assert_array_equal(reconstruct(given, keep, FACTOR), VALUES)
    np.testing.assert_array_equal(given, VALUES)


def test_no_weights():
    empty = np.empty((0, N), np.float32)
    assert reconstruct(empty, empty.astype(np.bool_), FACTOR).shape == (0, N)

"""Selection by magnitude against sorting, by hand and by hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compress.errors import DataError, SettingsError
from compress.kernels.magnitude import (
    keep_largest,
    lamp_scores,
    smallest_counts,
    sorted_magnitudes,
)

# Few values, so that ties are common.
rows = arrays(
    np.float32, st.integers(1, 40), elements=st.sampled_from([-2, -1, -0.0, 0, 0.5, 1, 3])
)


@given(rows, st.data())
def test_keep_largest_is_a_stable_sort(values, data):
    n_pruned = data.draw(st.integers(0, len(values)))
    kept = np.ones(len(values), bool)
    kept[np.argsort(np.abs(values), kind="stable")[:n_pruned]] = False
    assert np.array_equal(keep_largest(values, n_pruned), kept)


@given(rows, st.data())
def test_what_was_pruned_stays_pruned(values, data):
    earlier = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    )
    n_pruned = data.draw(st.integers(0, len(values)))
    kept = keep_largest(values, n_pruned, earlier)
    assert not kept[~earlier].any()
    assert (~kept).sum() == max(n_pruned, (~earlier).sum())
    if kept.any() and (earlier & ~kept).any():
        assert np.abs(values[kept]).min() >= np.abs(values[earlier & ~kept]).max()


def test_close_magnitudes_are_told_apart():
    values = np.float32(1) + np.arange(100, dtype=np.float32) * np.float32(2**-23)
    kept = keep_largest(values[::-1].copy(), 37)
    assert np.array_equal(kept, np.arange(100) < 63)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    values = np.float32([1, bad, 2])
    with pytest.raises(DataError, match="weights must be finite"):
        keep_largest(values, 1)
    with pytest.raises(DataError, match="weights must be finite"):
        sorted_magnitudes(values, None, np.empty_like(values))
    hidden = np.array([True, False, True])
    assert keep_largest(values, 2, hidden).tolist() == [False, False, True]


def test_sorted_magnitudes_put_pruned_weights_first():
    out = np.empty(4, np.float32)
    keep = np.array([True, True, False, True])
    sorted_magnitudes(np.float32([-3, 0, 9, 1]), keep, out)
    assert out.tolist() == [-1, 0, 1, 3]


def test_lamp_scores_by_hand():
    scores = np.float32([-1, -1, 1, 2, 3])
    lamp_scores(scores)
    np.testing.assert_allclose(scores, np.float32([-1, -1, 1 / 14, 4 / 13, np.inf]))
    zeros = np.zeros(3, np.float32)
    lamp_scores(zeros)
    assert zeros.tolist() == [0, 0, np.inf]
    pruned = np.full(2, -1, np.float32)
    lamp_scores(pruned)
    assert pruned.tolist() == [-1, -1]
    lamp_scores(np.empty(0, np.float32))


@given(rows)
def test_lamp_scores_ascend(values):
    out = np.empty_like(values)
    sorted_magnitudes(values, None, out)
    squares = out.astype(np.float64) ** 2
    lamp_scores(out)
    assert (np.diff(out[:-1]) >= 0).all()
    for i in range(len(out) - 1):
        total = squares[i:].sum()
        assert out[i] == pytest.approx(squares[i] / total if total else 0, rel=1e-6)


@given(st.lists(rows, min_size=1, max_size=5), st.data())
def test_smallest_counts_is_a_stable_sort(layers, data):
    layers = [np.sort(layer) for layer in layers]
    n = data.draw(st.integers(0, sum(map(len, layers))))
    owner = np.repeat(np.arange(len(layers)), [len(layer) for layer in layers])
    chosen = np.argsort(np.concatenate(layers), kind="stable")[:n]
    expected = np.bincount(owner[chosen], minlength=len(layers))
    assert smallest_counts(layers, n) == expected.tolist()


def test_infinite_scores_go_last():
    layers = [np.float32([0.5, np.inf]), np.float32([0.9, np.inf])]
    assert smallest_counts(layers, 2) == [1, 1]
    assert smallest_counts(layers, 3) == [2, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: keep_largest(v, 4), r"n_pruned must be in \[0, 3\], got 4"),
        (lambda v: keep_largest(v, -1), "n_pruned must be"),
        (lambda v: keep_largest(v.astype(np.float64), 1), "must be float32"),
        (lambda v: keep_largest(v[None], 1), "one-dimensional"),
        (lambda v: keep_largest(v, 1, np.ones(2, bool)), "keep must be of shape"),
        (lambda v: keep_largest(v, 1, np.ones(3)), "keep must be bool"),
        (lambda v: smallest_counts([v], 4), r"n must be in \[0, 3\]"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(SettingsError, match=message):
        call(np.float32([1, 2, 3]))

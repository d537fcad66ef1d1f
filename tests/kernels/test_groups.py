"""N of each M, against a plain loop over groups."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compress.errors import DataError, SettingsError
from compress.kernels.groups import is_in_groups, keep_in_groups

FEW = st.sampled_from([-2, -1, -0.0, 0, 0.5, 1, 3])  # so that ties are common


def slow(values, axis, n, m, keep):
    """Sort each group, as the words say it."""
    out = keep.copy()
    rows, kept = np.moveaxis(values, axis, -1), np.moveaxis(out, axis, -1)
    for place in itertools.product(*map(range, rows.shape[:-1])):
        for begin in range(0, rows.shape[-1], m):
            order = sorted(
                range(begin, begin + m),
                key=lambda i: (kept[(*place, i)], abs(rows[(*place, i)]), i),
            )
            for i in order[: m - n]:
                kept[(*place, i)] = False
    return out


@given(st.data())
def test_it_is_a_stable_sort_of_each_group(data):
    m = data.draw(st.integers(2, 5))
    n, axis = data.draw(st.integers(0, m)), data.draw(st.integers(0, 2))
    shape = data.draw(st.lists(st.integers(1, 3), min_size=3, max_size=3))
    shape[axis] *= m
    values = data.draw(arrays(np.float32, tuple(shape), elements=FEW))
    earlier = data.draw(arrays(np.bool_, tuple(shape)))
    for keep in (None, earlier):
        found = keep_in_groups(values, axis, n, m, keep)
        whole = np.ones(shape, np.bool_) if keep is None else keep
        np.testing.assert_array_equal(found, slow(values, axis, n, m, whole))
        assert is_in_groups(values * found, axis, n, m)
    assert earlier.any() or not found.any()


def test_by_hand():
    values = np.float32([[1, 4], [-3, 4], [2, 4], [-9, 4]])
    assert keep_in_groups(values, 0, 2, 4).tolist() == [
        [False, False], [True, False], [False, True], [True, True],
    ]  # fmt: skip
    assert keep_in_groups(values, 1, 1, 2)[:, 0].tolist() == [False, False, False, True]


def test_a_pattern_is_of_its_own_axis():
    values = np.float32([[1, 0, 1, 0], [1, 0, 1, 0]])
    assert is_in_groups(values, 1, 1, 2)
    assert not is_in_groups(values, 0, 1, 2)
    assert not is_in_groups(np.float32([[0, 1, 1, 0]]), 1, 1, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    values = np.float32([1, bad, 2, 3])
    with pytest.raises(DataError, match="weights must be finite"):
        keep_in_groups(values, 0, 2, 4)
    hidden = np.array([True, False, True, True])
    assert keep_in_groups(values, 0, 2, 4, hidden).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: keep_in_groups(v, 1, 3, 2), r"n must be in \[0, 2\], got 3"),
        (lambda v: keep_in_groups(v, 1, 2, 4), "m must be a divisor of 6, got 4"),
        (lambda v: keep_in_groups(v, 0, 0, 0), "m must be a divisor of 2, got 0"),
        (lambda v: is_in_groups(v, 1, 2, 4), "m must be a divisor of 6, got 4"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(SettingsError, match=message):
        call(np.ones((2, 6), np.float32))

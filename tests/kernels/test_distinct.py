"""Distinct values against numpy's sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compress.kernels.distinct import LIMIT, distinct, ranks

DTYPES = ["<u1", "<u2", "<u4", "<u8"]


@given(st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, st.integers(0, 60))))
def test_as_numpys_unique(items):
    expected, inverse = np.unique(items, return_inverse=True)
    found = distinct(items)
    assert found.dtype == items.dtype
    np.testing.assert_array_equal(found, expected)
    if len(items):
        np.testing.assert_array_equal(ranks(items, found), inverse)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_up_to_the_limit_and_no_further(dtype):
    values = np.arange(1 << 16).astype(dtype)
    shuffled = np.random.default_rng(0).permutation(np.concatenate([values, values]))
    np.testing.assert_array_equal(distinct(shuffled), values)
    np.testing.assert_array_equal(ranks(shuffled, values), shuffled)
    assert len(values) == LIMIT
    assert distinct(shuffled, LIMIT - 1) is None


def test_values_that_fall_into_one_slot():
    """Multiples of 2**46 / odd constant share the hash's upper bits; all of them are found."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
    items = np.array([i * inverse % 2**64 for i in range(500)], np.uint64)
    np.testing.assert_array_equal(distinct(items), np.sort(items))
    np.testing.assert_array_equal(np.sort(items)[ranks(items, np.sort(items))], items)


def test_input_may_be_read_only_and_is_kept():
    items = np.frombuffer(bytes([3, 1, 3, 2]), np.uint8)
    assert distinct(items).tolist() == [1, 2, 3]
    items = np.array([3, 1, 3, 2], np.uint8)
    ranks(items, distinct(items))
    assert items.tolist() == [3, 1, 3, 2]
    assert items.flags.writeable

"""Gaps, masks and codes against plain loops and the paper's worked example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.kernels import sparse

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def test_the_papers_worked_example():
    """Deep Compression, Fig. 2: values at 1, 4 and 15, indices of 3 bits, one filler zero.

    The paper stores differences 1, 3, 8, 3 and the values 3.4, 0.9, 0 and 1.7; the 0 is a filler.
    Here a gap counts the zeros between, and the filler, symbol 7, needs no value.
    """
    gaps = sparse.to_gaps(np.array([1, 4, 15]), bits=3)
    assert gaps.tolist() == [1, 2, 7, 3]
    out = np.zeros(16, np.uint32)
    values = np.array([34, 9, 17], np.uint32)
    assert sparse.put_gaps(gaps, 7, values, 16, 1, out)
    assert out.tolist() == [0, 34, 0, 0, 9] + 10 * [0] + [17]


def plain_gaps(positions, filler):
    gaps, at = [], 0
    for position in positions:
        while position - at >= filler:
            gaps.append(filler)
            at += filler
        gaps.append(position - at)
        at = position + 1
    return gaps


@given(st.sets(st.integers(0, 300)), st.integers(1, 10))
def test_gaps_as_a_plain_loop_writes_them(positions, bits):
    positions = np.array(sorted(positions), np.int64)
    gaps = sparse.to_gaps(positions, bits)
    assert gaps.tolist() == plain_gaps(positions.tolist(), 2**bits - 1)
    counts = sparse.gap_counts(positions, bits)
    np.testing.assert_array_equal(counts, np.bincount(gaps, minlength=2**bits))


@given(shapes, st.booleans(), st.integers(1, 5), st.sampled_from([np.uint8, np.uint64]), st.data())
def test_values_come_back_to_their_places(shape, transposed, bits, dtype, data):
    rows, columns = shape
    matrix = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=rows * columns, max_size=rows * columns)),
        dtype,
    ).reshape(shape)
    scanned = (matrix.T if transposed else matrix).ravel()
    positions = np.flatnonzero(scanned)
    step = columns if transposed else 1
    n_rows = rows if transposed else rows * columns

    out = np.zeros(rows * columns, dtype)
    gaps = sparse.to_gaps(positions, bits)
    assert sparse.put_gaps(gaps, 2**bits - 1, scanned[positions], n_rows, step, out)
    np.testing.assert_array_equal(out.reshape(shape), matrix)

    out = np.zeros(rows * columns, dtype)
    mask = np.packbits(scanned != 0, bitorder="little")
    sparse.put_mask(mask, scanned[positions], n_rows, step, out)
    np.testing.assert_array_equal(out.reshape(shape), matrix)


@pytest.mark.parametrize(
    ("gaps", "n_values", "ok"),
    [
        ([0, 0, 7, 0], 3, True),
        ([9], 1, False),  # above the filler
        ([0, 7, 7], 1, False),  # behind the end
        ([0, 7], 1, False),  # a filler at the end
        ([0, 0], 3, False),  # too few
        ([0, 0], 1, False),  # too many
        ([6, 6], 2, False),  # behind the end
        ([], 0, True),
        ([7], 0, False),
    ],
)
def test_gaps_that_do_not_fit(gaps, n_values, ok):
    out = np.zeros(10, np.uint8)
    values = np.ones(n_values, np.uint8)
    assert sparse.put_gaps(np.array(gaps, np.uint16), 7, values, 10, 1, out) is ok


@given(st.lists(st.integers(0, 20), max_size=20), st.integers(0, 9), shapes, st.integers(1, 4))
def test_any_gaps_stay_within_bounds(gaps, n_values, shape, bits):
    rows, columns = shape
    out = np.zeros(rows * columns + 2, np.uint8)
    values = np.ones(n_values, np.uint8)
    ok = sparse.put_gaps(np.array(gaps, np.uint16), 2**bits - 1, values, rows, columns, out[1:-1])
    assert out[0] == out[-1] == 0
    if ok:
        assert plain_gaps(np.flatnonzero(out[1:-1].reshape(shape).T.ravel()), 2**bits - 1) == gaps


@given(st.lists(st.integers(0, 3), max_size=20))
def test_codes_take_their_values(codes):
    codebook = np.array([3, 5, 7, 2**40], np.uint64)
    out = np.empty(len(codes), np.uint64)
    sparse.take_codes(codebook, np.array(codes, np.uint8), out)
    np.testing.assert_array_equal(out, codebook[codes])

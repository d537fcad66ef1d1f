"""Code lengths against Huffman's own algorithm, and codes that are none."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress import threads
from compress.codecs import huffman
from compress.codecs.huffman import CHUNK, Huffman
from compress.errors import FormatError


def plain_huffman(counts):
    """Return the total bits and the longest codeword of a code without a limit."""
    heap = [(count, 0) for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        (a, i), (b, j) = heapq.heappop(heap), heapq.heappop(heap)
        total += a + b
        heapq.heappush(heap, (a + b, max(i, j) + 1))
    return total, heap[0][1]


@given(st.lists(st.integers(0, 50), max_size=60).map(lambda counts: [*counts, 3, 5]))
def test_lengths_are_the_best(counts):
    code = Huffman.of_counts(np.array(counts))
    total, longest = plain_huffman(counts)
    assert longest <= 12
    assert code.n_bits(np.array(counts)) == total
    assert [length > 0 for length in code.lengths] == [count > 0 for count in counts]


@pytest.mark.parametrize("limit", [5, 6, 12, 16])
def test_a_limit_is_kept_at_the_least_cost(limit):
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(sum(fibonacci[-2:]))
    lengths = huffman._package_merge(np.array(fibonacci), limit)
    assert lengths.max() == limit
    assert sum(2.0 ** -lengths.astype(float)) == 1
    assert (np.diff(lengths.astype(int)) <= 0).all()
    by_limit = [
        int(huffman._package_merge(np.array(fibonacci), other) @ np.array(fibonacci))
        for other in (limit, 29)
    ]
    assert by_limit[0] > by_limit[1] == plain_huffman(fibonacci)[0]


def test_a_limit_by_brute_force():
    counts = np.array([1, 1, 2, 4, 8])
    lengths = huffman._package_merge(counts, 3)
    costs = [
        np.dot(tried, counts)
        for tried in np.ndindex(4, 4, 4, 4, 4)
        if all(tried) and sum(2.0**-length for length in tried) <= 1
    ]
    assert lengths @ counts == min(costs)


def test_a_full_alphabet():
    counts = np.ones(1 << 16, np.int64)
    code = Huffman.of_counts(counts)
    assert set(code.lengths) == {16}
    symbols = np.arange(1 << 16).astype(np.uint16)
    np.testing.assert_array_equal(code.decode(code.encode(symbols), 1 << 16), symbols)


def test_several_threads_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    symbols = np.minimum(rng.geometric(0.3, 9 * CHUNK + 11), 20).astype(np.uint16)
    code = Huffman.of_counts(np.bincount(symbols))
    coded = code.encode(symbols)
    monkeypatch.setattr(threads, "_PARALLEL", 1)
    for cores in (1, 2, 5, 64):
        monkeypatch.setattr("compress.limits.cores", lambda cores=cores: cores)
        np.testing.assert_array_equal(code.decode(coded, len(symbols)), symbols)
        with pytest.raises(FormatError):
            code.decode(coded[:-1], len(symbols))


@pytest.mark.parametrize(
    "lengths", [b"", b"\0", b"\1", b"\0\1", b"\1\1\1", b"\1\2", b"\x11\x11", b"\1" + bytes(65536)]
)
def test_lengths_that_are_no_code(lengths):
    with pytest.raises(FormatError):
        Huffman(lengths)

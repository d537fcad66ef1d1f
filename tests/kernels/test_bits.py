"""Bit streams against slow plain ones; the codecs' laws test them further."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.codecs.huffman import _package_merge
from compress.kernels import bits


@given(st.integers(1, 16), st.data())
def test_fields_are_one_large_number(width, data):
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=50))
    plain = sum(value << width * i for i, value in enumerate(values))
    expected = plain.to_bytes(-(-len(values) * width // 8), "little")
    out = np.zeros(len(expected), np.uint8)
    bits.pack_fields(np.array(values, np.uint16), width, out)
    assert out.tobytes() == expected
    back = np.empty(len(values), np.uint16)
    assert bits.unpack_fields(out, width, back) == 0
    assert back.tolist() == values


def test_padding_is_returned():
    assert bits.unpack_fields(np.array([0b10100111], np.uint8), 5, np.empty(1, np.uint16)) == 0b101


CODEWORDS = {0: "0", 1: "10", 2: "110", 3: "111"}  # canonical, first bit first


def encode(symbols, chunk):
    lengths = np.array([len(word) for word in CODEWORDS.values()], np.uint32)
    words = np.array([int(word[::-1], 2) for word in CODEWORDS.values()], np.uint32)
    sizes = np.zeros(-(-len(symbols) // chunk), np.int64)
    out = np.empty(3 * len(symbols) + 8 + len(sizes), np.uint8)
    written = bits.encode_huffman(symbols, words | lengths << bits.LENGTH_SHIFT, chunk, out, sizes)
    return out[:written], sizes


def decode(data, sizes, n, chunk, *, side_by_side=True):
    lengths = np.array([len(word) for word in CODEWORDS.values()], np.uint8)
    stream = np.concatenate([sizes[:-1].astype("<u4").view(np.uint8), data])
    out = np.empty(n, np.uint8)
    step = len(sizes) if side_by_side else 1  # three or fewer chunks are decoded one by one
    parts = [
        bits.decode_huffman(stream, lengths, chunk, begin, min(begin + step, len(sizes)), out)
        for begin in range(0, len(sizes), step)
    ]
    return out if all(parts) else None


@given(st.lists(st.integers(0, 200), min_size=2, max_size=300), st.integers(9, 16))
def test_tables_hold_each_codeword(counts, limit):
    lengths = _package_merge(np.array(counts) + 1, limit)
    table = bits.table_of(lengths)
    assert len(table) == 1 << int(lengths.max())
    codeword, before = 0, 0
    for symbol in np.argsort(lengths, kind="stable").tolist():  # canonical, as RFC 1951 has it
        length = int(lengths[symbol])
        codeword = codeword << length - before
        first = int(f"{codeword:0{length}b}"[::-1], 2)
        assert (table[first :: 1 << length] == symbol | length << bits.LENGTH_SHIFT).all()
        codeword, before = codeword + 1, length


def test_a_stream_without_room_for_its_sizes():
    lengths, out = np.array([1, 1], np.uint8), np.empty(40, np.uint8)
    stream = np.zeros(11, np.uint8)
    assert not bits.decode_huffman(stream, lengths, 10, 0, 4, out)  # 12 bytes of sizes
    assert not bits.decode_huffman(stream[:1], lengths, 10, 0, 0, out[:0])
    assert bits.decode_huffman(stream[:0], lengths, 10, 0, 0, out[:0])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(1, 70))
def test_huffman_streams_are_codewords_in_a_row(symbols, chunk):
    expected, expected_sizes = b"", []
    for begin in range(0, len(symbols), chunk):
        text = "".join(CODEWORDS[s] for s in symbols[begin : begin + chunk])
        expected_sizes.append(-(-len(text) // 8))
        expected += int(text[::-1], 2).to_bytes(expected_sizes[-1], "little")
    data, sizes = encode(np.array(symbols, np.uint16), chunk)
    assert data.tobytes() == expected
    assert sizes.tolist() == expected_sizes
    assert decode(data, sizes, len(symbols), chunk).tolist() == symbols


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 64, 100])
def test_huffman_streams_that_are_not_theirs(n):
    symbols = np.arange(n, dtype=np.uint16) % 4
    data, sizes = encode(symbols, 1000)
    assert decode(data, sizes, n, 1000) is not None
    assert decode(data[:-1], sizes - 1, n, 1000) is None
    assert decode(np.append(data, np.uint8(0)), sizes + 1, n, 1000) is None
    n_bits = sum(len(CODEWORDS[s]) for s in symbols.tolist())
    if n_bits % 8:
        padded = data.copy()
        padded[-1] |= 0x80
        assert decode(padded, sizes, n, 1000) is None


@given(st.integers(0, 2**32), st.integers(60, 120), st.integers(0, 3))
def test_streams_side_by_side_are_as_one_by_one(seed, chunk, n_flips):
    """Good and damaged streams, of sizes that are right and wrong, give the same both ways."""
    rng = np.random.default_rng(seed)
    symbols = np.minimum(rng.geometric(0.4, 1000) - 1, 3).astype(np.uint16)
    data, sizes = encode(symbols, chunk)
    for _ in range(n_flips):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if rng.random() < 0.2:
            moved = min(rng.integers(20), sizes[3])
            sizes[2:4] += [moved, -moved]
    ways = [decode(data, sizes, 1000, chunk, side_by_side=way) for way in (True, False)]
    assert (ways[0] is None) == (ways[1] is None)
    if ways[0] is not None:
        np.testing.assert_array_equal(ways[0], ways[1])
    assert n_flips or ways[0].tolist() == symbols.tolist()

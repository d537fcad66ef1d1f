"""Streams that describe themselves: round trip, the smallest codec, any bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compress import threads
from compress.codecs import stream
from compress.codecs.cursor import Cursor, varint
from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import Huffman
from compress.errors import FormatError

symbol_lists = st.one_of(
    st.lists(st.integers(0, 65535), max_size=60),
    st.lists(st.integers(0, 3), max_size=200),
    st.lists(st.sampled_from([0, 0, 0, 0, 0, 9, 300]), max_size=200),
)


@given(symbol_lists)
def test_round_trip(symbols):
    coded = stream.encode(np.array(symbols, np.uint16))
    cursor = Cursor(coded)
    found = stream.read(cursor, len(symbols))
    cursor.finish()
    assert found.decode().tolist() == symbols
    assert found.table_bytes + len(found.data) == len(coded)
    counts = np.bincount(np.array(symbols, np.int64))
    assert abs(stream.n_bytes(stream.choose(counts), counts) - len(coded)) <= 4


@given(st.lists(st.integers(1, 99), min_size=2, max_size=40))
def test_the_choice_is_the_smallest(counts):
    symbols = np.repeat(np.arange(len(counts)), counts).astype(np.uint16)
    best = len(stream.encode(symbols))
    for codec in (FixedWidth((len(counts) - 1).bit_length()), Huffman.of_counts(np.array(counts))):
        assert best <= len(stream.encode(symbols, codec)) + 4


def test_each_kind_is_chosen_where_it_fits():
    assert stream.choose(np.array([0, 0, 5])) == Constant(2)
    assert stream.choose(np.array([], np.int64)) == Constant(0)
    assert stream.choose(np.array([9, 9, 9, 9])) == FixedWidth(2)
    assert isinstance(stream.choose(np.array([900, 50, 50])), Huffman)


kinds = st.sampled_from([b"\0", b"\1", b"\2", b"\3\0", b"\3\1", b"\3\2"])
tails = st.binary(max_size=60)


@given(st.one_of(tails, st.tuples(kinds, tails).map(b"".join)), st.integers(0, 30))
@example(bytes([2, 2]), 1)
@example(bytes([1, 16]), 0)
def test_any_bytes_decode_or_are_a_format_error(data, count):
    cursor = Cursor(data)
    try:
        found = stream.read(cursor, count)
        symbols = found.decode()
    except FormatError:
        return
    assert symbols.shape == (count,)
    assert stream.encode(symbols.astype(np.uint16), found.codec) == data[: cursor.at]


@given(st.lists(st.integers(0, 9), max_size=80).map(lambda counts: [*counts, 4, 9]))
def test_lengths_survive(counts):
    code = Huffman.of_counts(np.array(counts))
    table = stream._pack_lengths(code.lengths)
    cursor = Cursor(table)
    assert stream._read_lengths(cursor, len(code.lengths)) == code.lengths
    cursor.finish()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\4", "kind 4"),
        (b"\3\3", "kind 3"),
        (b"\0\x80\x80\x04", "65535"),
        (b"\0\x80\x00", "shortest"),
        (b"\1\0\0", "1 to 16 bits"),
        (b"\1\x11\0\0\0", "1 to 16 bits"),
        (b"\2\1", "alphabet"),
        (b"\2\x81\x80\x04", "alphabet"),
        (b"\2\2" + b"\xff" * 5, "out of bounds"),
        (b"\2\2\x03", "out of bounds"),  # a length of 0 - 1
        (b"\2\2\x21\0", "padding"),
        (b"\2\2\x0d\0", "does not occur"),  # lengths 1, 0
        (b"\2\3\x01\1\0", "fill the code space"),  # lengths 1, 1, 1
        (b"\2\2\x01\2\0\0", "codewords"),  # a byte more than one symbol needs
        (b"\2\2\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "wanted"),
    ],
)
def test_broken_streams(data, what):
    with pytest.raises(FormatError, match=what):
        stream.read(Cursor(data), 1).decode()


def test_blocks_are_chosen_where_statistics_change():
    rng = np.random.default_rng(0)
    parts = (rng.geometric(0.5, stream.BLOCK), np.full(stream.BLOCK, 7), rng.integers(0, 256, 4000))
    row = np.minimum(np.concatenate(parts), 255).astype(np.uint8)
    size, codec = stream.plan_bytes(row)
    assert [type(part) for part in codec] == [Huffman, Constant, FixedWidth]
    assert codec[2].bits == 8  # noise stays as it is
    coded = stream.encode(row, codec)
    assert abs(size - len(coded)) <= 12
    assert len(coded) < len(stream.encode(row))
    cursor = Cursor(coded)
    found = stream.read(cursor, len(row))
    cursor.finish()
    assert found.data_bytes + found.table_bytes == len(coded)
    assert found.codec == codec
    np.testing.assert_array_equal(found.decode(), row)


def test_blocks_decode_on_several_threads(monkeypatch):
    row = np.repeat(np.arange(5 * stream.BLOCK // 1000), 1000).astype(np.uint8)
    coded = stream.encode(row, stream.plan_bytes(row)[1])
    monkeypatch.setattr(threads, "_PARALLEL", 1)
    for cores in (1, 2, 64):
        monkeypatch.setattr("compress.limits.cores", lambda cores=cores: cores)
        np.testing.assert_array_equal(stream.read(Cursor(coded), len(row)).decode(), row)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 1000])
def test_short_rows_in_a_block(count):
    row = (np.arange(count) % 7 % 3).astype(np.uint8)
    codecs = [stream._in_block(stream.choose(np.bincount(row)), count)] if count else []
    found = stream.read(Cursor(stream.encode(row, tuple(codecs))), count)
    assert isinstance(found, stream.Blocks)
    np.testing.assert_array_equal(found.decode(), row)


def test_noise_stays_as_it_is():
    row = np.random.default_rng(0).integers(0, 255, 4000).astype(np.uint8)
    assert stream.plan_bytes(row)[1] == FixedWidth(8)


def test_blocks_came_with_format_3():
    coded = stream.encode(np.zeros(9, np.uint8), (Constant(0),))
    assert stream.read(Cursor(coded, 3), 9).decode().tolist() == [0] * 9
    with pytest.raises(FormatError, match="came with format 3"):
        stream.read(Cursor(coded, 2), 9)


def test_blocks_are_of_bytes():
    for data in (b"\0" + varint(256), b"\1\x09\0\0"):
        with pytest.raises(FormatError, match="256"):
            stream.read(Cursor(b"\3" + data), 1).decode()


def test_blocks_of_many_symbols_in_few_bytes_take_no_memory():
    with pytest.raises(FormatError, match="wanted"):
        stream.read(Cursor(b"\3" + b"\0\1" * 99), 1 << 60)


def test_bytes_have_a_small_alphabet():
    assert stream.read(Cursor(b"\0\7"), 2).decode_bytes().tolist() == [7, 7]
    for data in (b"\0" + varint(256), b"\1\x09\0\0"):
        with pytest.raises(FormatError, match="256"):
            stream.read(Cursor(data), 1).decode_bytes()


def test_symbols_are_read_only():
    for symbols in ([1, 1], [0, 255, 3], [1, 2, 3, 4], [0] * 50 + [9]):
        coded = stream.encode(np.array(symbols, np.uint16))
        assert not stream.read(Cursor(coded), len(symbols)).decode().flags.writeable

"""What holds for every codec: round trip, one encoding, any bytes, a literal golden, its size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import CHUNK, Huffman
from compress.errors import FormatError

GOLDENS = [
    (Constant(300), [300, 300], ""),
    (FixedWidth(1), [1, 0, 0, 0, 0, 0, 0, 0, 1], "0101"),
    (FixedWidth(8), [0, 255, 7], "00ff07"),
    (FixedWidth(12), [0xABC, 0x123], "bc3a12"),
    # Codewords 0, 10, 110, 111: bits 0 111 10 0 110 from the lowest on.
    (Huffman(bytes([1, 2, 3, 3])), [0, 3, 1, 0, 2], "9e01"),
    (Huffman(bytes([0, 1, 0, 1])), [1, 3, 3], "06"),
]


@st.composite
def codecs(draw):
    """Draw a codec and the alphabet of symbols that it can encode."""
    match draw(st.sampled_from(["constant", "fixed", "huffman"])):
        case "constant":
            symbol = draw(st.integers(0, 65535))
            return Constant(symbol), [symbol]
        case "fixed":
            bits = draw(st.integers(1, 16))
            return FixedWidth(bits), range(1 << bits)
        case _:
            counts = np.array([*draw(st.lists(st.integers(0, 1000), max_size=40)), 1, 1])
            return Huffman.of_counts(counts), np.flatnonzero(counts).tolist()


@given(codecs(), st.data())
def test_round_trip(codec_and_alphabet, data):
    codec, alphabet = codec_and_alphabet
    symbols = np.array(data.draw(st.lists(st.sampled_from(alphabet), max_size=100)), np.uint16)
    coded = codec.encode(symbols)
    assert codec.decode(coded, len(symbols)).tolist() == symbols.tolist()
    assert codec.decode(memoryview(coded), len(symbols)).tolist() == symbols.tolist()


@given(codecs(), st.integers(0, 40), st.binary(max_size=30))
def test_any_bytes_decode_or_are_a_format_error(codec_and_alphabet, count, data):
    codec, _ = codec_and_alphabet
    try:
        symbols = codec.decode(data, count)
    except FormatError:
        return
    assert symbols.shape == (count,)
    assert codec.encode(symbols) == data  # what decodes has one encoding


@given(codecs(), st.data())
def test_one_changed_bit_is_seen_or_decodes_to_other_symbols(codec_and_alphabet, data):
    codec, alphabet = codec_and_alphabet
    symbols = np.array(data.draw(st.lists(st.sampled_from(alphabet), max_size=60)), np.uint16)
    coded = bytearray(codec.encode(symbols))
    if not coded:
        return
    place = data.draw(st.integers(0, 8 * len(coded) - 1))
    coded[place // 8] ^= 1 << place % 8
    try:
        changed = codec.decode(bytes(coded), len(symbols))
    except FormatError:
        return
    assert changed.tolist() != symbols.tolist()


@pytest.mark.parametrize(("codec", "symbols", "coded"), GOLDENS)
def test_goldens(codec, symbols, coded):
    assert codec.encode(np.array(symbols, np.uint16)).hex() == coded
    assert codec.decode(bytes.fromhex(coded), len(symbols)).tolist() == symbols


@pytest.mark.parametrize("codec", [FixedWidth(1), Huffman(b"\1\1")])
@pytest.mark.parametrize("count", [1 << 40, 1 << 62])
def test_a_count_that_the_bytes_cannot_hold_takes_no_memory(codec, count):
    with pytest.raises(FormatError):
        codec.decode(bytes(100), count)


@pytest.mark.parametrize("n", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_chunks(n):
    symbols = (np.arange(n) % 7 % 5).astype(np.uint16)
    for codec in (FixedWidth(3), Huffman(bytes([1, 3, 3, 3, 3]))):
        coded = codec.encode(symbols)
        np.testing.assert_array_equal(codec.decode(coded, n), symbols)
        for other in (n - 9, n + 9):
            if other >= 0:
                with pytest.raises(FormatError):
                    codec.decode(coded, other)
    for at in range(4 * (-(-n // CHUNK) - 1)):  # sizes of chunks
        broken = bytearray(coded)
        broken[at] ^= 0xFF
        with pytest.raises(FormatError):
            codec.decode(bytes(broken), n)


@given(st.lists(st.integers(1, 2000), min_size=2, max_size=300))
def test_size_law(counts):
    """Huffman is within a bit a symbol of the entropy; a fixed width is the power of two above."""
    symbols = np.repeat(np.arange(len(counts)), counts).astype(np.uint16)
    p = np.array(counts) / len(symbols)
    entropy_bits = -(p * np.log2(p)).sum() * len(symbols)
    size = len(Huffman.of_counts(np.array(counts)).encode(symbols))
    chunk_bytes = 5 * (len(symbols) // CHUNK + 1)
    assert entropy_bits / 8 <= size <= (entropy_bits + len(symbols)) / 8 + chunk_bytes
    bits = (len(counts) - 1).bit_length()
    assert len(FixedWidth(bits).encode(symbols)) == -(-bits * len(symbols) // 8)

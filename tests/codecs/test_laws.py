"""What holds for every codec: round trip, one encoding, any bytes, a literal golden, its size."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import CHUNK, Huffman
from compress.codecs.levels import MAX_CODES, Levels
from compress.codecs.rising import Rising
from compress.errors import FormatError
from compress.kernels import mixing


@dataclass(frozen=True)
class OneChunk:
    """Levels as a codec like the others: one chunk, no model from elsewhere."""

    levels: Levels

    def encode(self, codes):
        if not len(codes):
            return b""
        chunks, _ = self.levels.encode(codes, mixing.fresh_model(), 4 * len(codes) + 64)
        (chunk,) = chunks
        return chunk

    def decode(self, data, count):
        chunks = [data] if count or data else []
        return self.levels.decode(chunks, count, mixing.fresh_model())[0]


GOLDENS = [
    (Constant(300), [300, 300], ""),
    (FixedWidth(1), [1, 0, 0, 0, 0, 0, 0, 0, 1], "0101"),
    (FixedWidth(8), [0, 255, 7], "00ff07"),
    (FixedWidth(12), [0xABC, 0x123], "bc3a12"),
    # Codewords 0, 10, 110, 111: bits 0 111 10 0 110 from the lowest on.
    (Huffman(bytes([1, 2, 3, 3])), [0, 3, 1, 0, 2], "9e01"),
    (Huffman(bytes([0, 1, 0, 1])), [1, 3, 3], "06"),
    # One even chance, a 0 that takes the upper half: its least value is 0x80000000.
    (OneChunk(Levels(2, 0, 1, 1)), [0], "80"),
    (OneChunk(Levels(8, 3, 2, 1)), [3, 3, 3, 7, 3, 0], "93b052"),
    # A step of 256, one bit longer than the last: a 1, a 0, then 8 zeros, each the upper half.
    (Rising(1, 0), [255], "7fc0"),
    (Rising(4, 9), [512, 1024, 99328], "000000000038ab61"),
]


@dataclass(frozen=True)
class Case:
    """A codec and what it can encode."""

    codec: Constant | FixedWidth | Huffman | OneChunk | Rising
    alphabet: range | list[int]
    ascends: bool = False  #: each symbol at most once, in order

    def symbols(self, max_size=100):
        """Return arrays that the codec can encode."""
        one = st.sampled_from(self.alphabet)
        if self.ascends:
            lists = st.sets(one, max_size=max_size).map(sorted)
            return lists.map(lambda some: np.array(some, f"<u{self.codec.width}"))
        return st.lists(one, max_size=max_size).map(lambda some: np.array(some, np.uint16))


@st.composite
def cases(draw):
    """Draw a codec and the alphabet of symbols that it can encode."""
    match draw(st.sampled_from(["constant", "fixed", "huffman", "levels", "rising"])):
        case "constant":
            symbol = draw(st.integers(0, 65535))
            return Case(Constant(symbol), [symbol])
        case "fixed":
            bits = draw(st.integers(1, 16))
            return Case(FixedWidth(bits), range(1 << bits))
        case "huffman":
            counts = np.array([*draw(st.lists(st.integers(0, 1000), max_size=40)), 1, 1])
            return Case(Huffman.of_counts(counts), np.flatnonzero(counts).tolist())
        case "levels":
            n_codes = draw(st.sampled_from([1, 2, 5, 33, MAX_CODES]))
            zero, kernel = draw(st.integers(0, n_codes - 1)), draw(st.integers(1, 9))
            columns = kernel * draw(st.integers(1, 30))
            return Case(OneChunk(Levels(n_codes, zero, columns, kernel)), range(n_codes))
        case _:
            width = draw(st.sampled_from([1, 2, 4]))
            shift = draw(st.integers(0, 8 * width - 1))
            return Case(Rising(width, shift), range(0, 1 << 8 * width, 1 << shift), ascends=True)


@given(cases(), st.data())
def test_round_trip(case, data):
    symbols = data.draw(case.symbols())
    coded = case.codec.encode(symbols)
    assert case.codec.decode(coded, len(symbols)).tolist() == symbols.tolist()
    assert case.codec.decode(memoryview(coded), len(symbols)).tolist() == symbols.tolist()


@given(cases(), st.integers(0, 40), st.binary(max_size=30))
def test_any_bytes_decode_or_are_a_format_error(case, count, data):
    try:
        symbols = case.codec.decode(data, count)
    except FormatError:
        return
    assert symbols.shape == (count,)
    assert case.codec.encode(symbols) == data  # what decodes has one encoding


@given(cases(), st.data())
def test_one_changed_bit_is_seen_or_decodes_to_other_symbols(case, data):
    symbols = data.draw(case.symbols(60))
    coded = bytearray(case.codec.encode(symbols))
    if not coded:
        return
    place = data.draw(st.integers(0, 8 * len(coded) - 1))
    coded[place // 8] ^= 1 << place % 8
    try:
        changed = case.codec.decode(bytes(coded), len(symbols))
    except FormatError:
        return
    assert changed.tolist() != symbols.tolist()


@pytest.mark.parametrize(("codec", "symbols", "coded"), GOLDENS)
def test_goldens(codec, symbols, coded):
    array = np.array(symbols, f"<u{codec.width}" if isinstance(codec, Rising) else np.uint16)
    assert codec.encode(array).hex() == coded
    assert codec.decode(bytes.fromhex(coded), len(symbols)).tolist() == symbols


@pytest.mark.parametrize(
    "codec", [FixedWidth(1), Huffman(b"\1\1"), OneChunk(Levels(9, 0, 256, 1)), Rising(4, 0)]
)
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
    entropy_bits = entropy(symbols)
    size = len(Huffman.of_counts(np.array(counts)).encode(symbols))
    chunk_bytes = 5 * (len(symbols) // CHUNK + 1)
    assert entropy_bits / 8 <= size <= (entropy_bits + len(symbols)) / 8 + chunk_bytes
    bits = (len(counts) - 1).bit_length()
    assert len(FixedWidth(bits).encode(symbols)) == -(-bits * len(symbols) // 8)


def entropy(symbols):
    """Return the bits that an ideal code of the symbols' frequencies takes."""
    counts = np.unique(symbols, return_counts=True)[1]
    return -(counts * np.log2(counts / len(symbols))).sum()


@pytest.mark.parametrize("n_codes", [2, 9, 64, 1000])
@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
def test_size_law_of_levels(n_codes, p):
    """Levels that tell nothing of each other take their entropy, what is learned within 4 %."""
    rng = np.random.default_rng(0)
    sizes = rng.geometric(p, 50_000) - 1
    codes = np.clip(n_codes // 2 + sizes * rng.choice([-1, 1], len(sizes)), 0, n_codes - 1)
    codec = OneChunk(Levels(n_codes, n_codes // 2, 250, 5))
    entropy_bits = entropy(codes)
    size_bits = 8 * len(codec.encode(codes.astype(np.uint16)))
    assert 0.999 * entropy_bits <= size_bits <= 1.04 * entropy_bits


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 30, 200, 4000])
def test_size_law_of_rising(width, count):
    """Numbers drawn evenly take no more than two bits each above which of all they are."""
    rng = np.random.default_rng(0)
    items = np.unique(rng.integers(0, 1 << 8 * width, count)).astype(f"<u{width}")
    n_all, n = 1 << 8 * width, len(items)
    entropy_bits = (lgamma(n_all + 1) - lgamma(n + 1) - lgamma(n_all - n + 1)) / log(2)
    size_bits = 8 * len(Rising(width, 0).encode(items))
    assert entropy_bits - 0.01 <= size_bits <= entropy_bits + 2 * n + 8

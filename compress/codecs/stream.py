"""Symbols as a self-described stream: constant, fixed width or Huffman, whichever is smallest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.codecs.cursor import Cursor, varint
from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import CHUNK, MAX_ALPHABET, MAX_LENGTH, Huffman, Symbols
from compress.errors import FormatError
from compress.kernels import bits

_CONSTANT, _FIXED, _HUFFMAN = range(3)

Codec = Constant | FixedWidth | Huffman


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that was found in a file and not decoded yet."""

    codec: Codec
    data: memoryview
    count: int  #: symbols
    table_bytes: int  #: what describes the code: kind, alphabet, lengths, size

    def decode(self) -> Symbols:
        """Return the symbols, shape `(count,)`, to be read only."""
        symbols = self.codec.decode(self.data, self.count)
        symbols.flags.writeable = False  # as symbols in a file are: kernels compile once
        return symbols

    def decode_bytes(self) -> NDArray[np.uint8]:
        """Return symbols that must be bytes, shape `(count,)`, to be read only."""
        symbols = self.decode()
        if symbols.dtype != np.uint8:
            raise FormatError("a row of bytes has an alphabet above 256")
        return symbols.view(np.uint8)


def choose(counts: NDArray[np.int64]) -> Codec:
    """Return the codec that is smallest for symbols that occur `counts` times."""
    used = np.flatnonzero(counts)
    if len(used) < 2:
        return Constant(int(used[0]) if len(used) else 0)
    fixed = FixedWidth(int(used[-1]).bit_length())
    huffman = Huffman.of_counts(counts[: used[-1] + 1])
    return fixed if n_bytes(fixed, counts) <= n_bytes(huffman, counts) else huffman


def n_bytes(codec: Codec, counts: NDArray[np.int64]) -> int:
    """Return how many bytes a stream takes, table included; exact for one chunk, else nearly."""
    match codec:
        case Constant():
            return len(_table(codec))
        case FixedWidth(bits):
            return len(_table(codec)) + -(-int(counts.sum()) * bits // 8)
        case Huffman():
            size = -(-codec.n_bits(counts) // 8) + 5 * (int(counts.sum()) // CHUNK)
            return len(_table(codec)) + len(varint(size)) + size


def encode(symbols: Symbols, codec: Codec | None = None) -> bytes:
    """Return a stream of `symbols`; without a `codec` the smallest one is chosen."""
    codec = codec or choose(bits.count(symbols, 1 << 8 * symbols.itemsize))
    data = codec.encode(symbols)
    size = varint(len(data)) if isinstance(codec, Huffman) else b""
    return _table(codec) + size + data


def read(cursor: Cursor, count: int) -> Stream:
    """Find the next stream, of `count` symbols."""
    begin = cursor.at
    codec = _read_codec(cursor)
    match codec:
        case Constant():
            size = 0
        case FixedWidth(bits):
            size = -(-count * bits // 8)
        case Huffman():
            size = cursor.varint()
    table_bytes = cursor.at - begin
    return Stream(codec, cursor.take(size), count, table_bytes)


def _table(codec: Codec) -> bytes:
    match codec:
        case Constant(symbol):
            return bytes([_CONSTANT]) + varint(symbol)
        case FixedWidth(bits):
            return bytes([_FIXED, bits])
        case Huffman(lengths):
            return bytes([_HUFFMAN]) + varint(len(lengths)) + _pack_lengths(lengths)


def _read_codec(cursor: Cursor) -> Codec:
    match cursor.byte():
        case 0:
            return Constant(cursor.varint())
        case 1:
            return FixedWidth(cursor.byte())
        case 2:
            alphabet = cursor.varint()
            if not 2 <= alphabet <= MAX_ALPHABET:
                raise FormatError(f"an alphabet has 2 to {MAX_ALPHABET} symbols, got {alphabet}")
            return Huffman(_read_lengths(cursor, alphabet))
        case kind:
            raise FormatError(f"no stream has the kind {kind}")


def _pack_lengths(lengths: bytes) -> bytes:
    """Code each length by its difference d to the one before, as 2|d| - [d > 0] ones and a zero.

    Neighbouring symbols (centroids, gaps) are about equally frequent, so most differences are
    small. Bits are packed from the lowest on, and the last byte is zero padded.
    """
    steps = np.diff(np.frombuffer(lengths, np.uint8).astype(np.int64), prepend=0)
    ends = np.cumsum(2 * np.abs(steps) - (steps > 0) + 1) - 1
    ones = np.ones(int(ends[-1]) + 1, np.uint8)
    ones[ends] = 0
    return np.packbits(ones, bitorder="little").tobytes()


def _read_lengths(cursor: Cursor, alphabet: int) -> bytes:
    lengths = bytearray()
    length = ones = 0
    while True:
        byte = cursor.byte()
        for i in range(8):
            if byte >> i & 1:
                ones += 1
                if ones > 2 * MAX_LENGTH:
                    raise FormatError("a code length is out of bounds")
                continue
            length += (ones + 1) // 2 if ones & 1 else -(ones // 2)
            ones = 0
            if not 0 <= length <= MAX_LENGTH:
                raise FormatError("a code length is out of bounds")
            lengths.append(length)
            if len(lengths) == alphabet:
                if byte >> (i + 1):
                    raise FormatError("the padding of code lengths is not zero")
                if length == 0:
                    raise FormatError("the last symbol of an alphabet does not occur")
                return bytes(lengths)

"""Symbols as a self-described stream: constant, fixed width or Huffman, whichever is smallest.

Bytes can also be coded in blocks, each a stream of its own, for where their statistics change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compress.codecs.cursor import Cursor, varint
from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import (
    CHUNK,
    MAX_ALPHABET,
    MAX_LENGTH,
    Huffman,
    Symbols,
)
from compress.errors import FormatError
from compress.kernels import bits
from compress.threads import n_threads, side_by_side

_CONSTANT, _FIXED, _HUFFMAN, _BLOCKS = range(4)

BLOCK = 1 << 16  # bytes that a block stands for

Codec = Constant | FixedWidth | Huffman
Coding = Codec | tuple[Codec, ...]  # of a whole stream, or of each of its blocks
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that was found in a file and not decoded yet."""

    codec: Codec
    data: memoryview
    count: int  #: symbols
    table_bytes: int  #: what describes the code: kind, alphabet, lengths, size

    @property
    def data_bytes(self) -> int:
        """What the symbols take."""
        return len(self.data)

    def decode(self) -> Symbols:
        """Return the symbols, shape `(count,)`, to be read only."""
        symbols = self.codec.decode(self.data, self.count)
        symbols.flags.writeable = False  # as symbols in a file are: kernels compile once
        return symbols

    def decode_bytes(self) -> Bytes:
        """Return symbols that must be bytes, shape `(count,)`, to be read only."""
        symbols = self.decode()
        if symbols.dtype != np.uint8:
            raise FormatError("a row of bytes has an alphabet above 256")
        return symbols.view(np.uint8)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Bytes that were found in a file as blocks, of `BLOCK` but for the last, not decoded yet."""

    blocks: tuple[Stream, ...]
    count: int  #: bytes

    @property
    def codec(self) -> tuple[Codec, ...]:
        """The codec of each block."""
        return tuple(block.codec for block in self.blocks)

    @property
    def data_bytes(self) -> int:
        """What the bytes take."""
        return sum(block.data_bytes for block in self.blocks)

    @property
    def table_bytes(self) -> int:
        """What describes the codes, and that there are blocks."""
        return 1 + sum(block.table_bytes for block in self.blocks)

    def decode(self) -> Bytes:
        """Return the bytes, shape `(count,)`, to be read only."""
        out = np.empty(self.count, np.uint8)

        def write(begin: int) -> None:
            for i in range(begin, len(self.blocks), threads):
                out[i * BLOCK : (i + 1) * BLOCK] = self.blocks[i].decode_bytes()

        threads = n_threads(self.count)
        side_by_side(write, range(threads), threads)
        out.flags.writeable = False
        return out

    decode_bytes = decode


Found = Stream | Blocks


def choose(counts: NDArray[np.int64]) -> Codec:
    """Return the codec that is smallest for symbols that occur `counts` times."""
    used = np.flatnonzero(counts)
    if len(used) < 2:
        return Constant(int(used[0]) if len(used) else 0)
    fixed = FixedWidth(int(used[-1]).bit_length())
    huffman = Huffman.of_counts(counts[: used[-1] + 1])
    return fixed if n_bytes(fixed, counts) <= n_bytes(huffman, counts) else huffman


def plan_bytes(row: Bytes) -> tuple[int, Coding]:
    """Choose how to code bytes whose statistics may change: as one stream, or in blocks.

    Bytes stay as they are where a code would save less than a hundredth: they decode for nothing,
    and noise in a Huffman code decodes the slowest. Blocks may cost half a hundredth: they decode
    faster than a short stream.

    Returns:
        The bytes that they take, as `n_bytes` has it, and how to `encode` them.
    """
    counts = [bits.count(row[i : i + BLOCK], 1 << 8) for i in range(0, len(row), BLOCK)]
    total = sum(counts, np.zeros(1 << 8, np.int64))
    whole = _choose_unless_noise(total)
    size = n_bytes(whole, total)
    if isinstance(whole, Constant):
        return size, whole
    codecs = map(_choose_unless_noise, counts) if len(counts) > 1 else [whole]
    blocks = tuple(
        _in_block(codec, int(some.sum())) for codec, some in zip(codecs, counts, strict=True)
    )
    in_blocks = 1 + sum(map(n_bytes, blocks, counts))
    allowed = 1.005 * size if isinstance(whole, Huffman) else size
    return (in_blocks, blocks) if in_blocks < allowed else (size, whole)


def _choose_unless_noise(counts: NDArray[np.int64]) -> Codec:
    n, some = int(counts.sum()), counts[counts > 0]
    most = 0.99 * n  # bytes
    if some @ np.log2(n / some) > 8 * most:  # no code is below the entropy
        return FixedWidth(8)
    codec = choose(counts)
    return FixedWidth(8) if isinstance(codec, Huffman) and n_bytes(codec, counts) > most else codec


def _in_block(codec: Codec, count: int) -> Codec:
    return replace(codec, chunk=_block_chunk(count)) if isinstance(codec, Huffman) else codec


def _block_chunk(count: int) -> int:
    """Return how many symbols of a block are a chunk: four are decoded side by side."""
    return -(-count // 4)


def n_bytes(codec: Codec, counts: NDArray[np.int64]) -> int:
    """Return how many bytes a stream takes, table included; exact for one chunk, else nearly."""
    match codec:
        case Constant():
            return len(_table(codec))
        case FixedWidth(bits):
            return len(_table(codec)) + -(-int(counts.sum()) * bits // 8)
        case Huffman():
            size = -(-codec.n_bits(counts) // 8) + 5 * (int(counts.sum()) // codec.chunk)
            return len(_table(codec)) + len(varint(size)) + size


def encode(symbols: Symbols, codec: Coding | None = None) -> bytes:
    """Return a stream of `symbols`; without a `codec` the smallest one is chosen."""
    if codec is None:
        codec = choose(bits.count(symbols, 1 << 8 * symbols.itemsize))
    if isinstance(codec, tuple):
        starts = range(0, len(symbols), BLOCK)
        blocks = [symbols[start : start + BLOCK] for start in starts]
        return bytes([_BLOCKS]) + b"".join(map(encode, blocks, codec))
    data = codec.encode(symbols)
    size = varint(len(data)) if isinstance(codec, Huffman) else b""
    return _table(codec) + size + data


def read(cursor: Cursor, count: int) -> Found:
    """Find the next stream, of `count` symbols."""
    if cursor.peek() != _BLOCKS:
        return _read_whole(cursor, count)
    cursor.byte()
    cursor.require(3)
    sizes = (min(BLOCK, count - start) for start in range(0, count, BLOCK))
    return Blocks(tuple(_read_whole(cursor, n, _block_chunk(n)) for n in sizes), count)


def _read_whole(cursor: Cursor, count: int, chunk: int = CHUNK) -> Stream:
    begin = cursor.at
    codec = _read_codec(cursor, chunk)
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


def _read_codec(cursor: Cursor, chunk: int) -> Codec:
    match cursor.byte():
        case 0:
            return Constant(cursor.varint())
        case 1:
            return FixedWidth(cursor.byte())
        case 2:
            alphabet = cursor.varint()
            if not 2 <= alphabet <= MAX_ALPHABET:
                raise FormatError(f"an alphabet has 2 to {MAX_ALPHABET} symbols, got {alphabet}")
            return Huffman(_read_lengths(cursor, alphabet), chunk)
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
    """Undo `_pack_lengths`."""
    most = 2 * MAX_LENGTH + 1  # bits of a difference
    ahead = np.frombuffer(cursor.ahead(-(-alphabet * most // 8)), np.uint8)
    ends = np.flatnonzero(np.unpackbits(ahead, bitorder="little") == 0)[:alphabet]
    ones = np.diff(ends, prepend=-1) - 1
    lengths = np.cumsum(np.where(ones & 1, (ones + 1) >> 1, -(ones >> 1)))
    known = (lengths >= 0) & (lengths <= MAX_LENGTH) & (ones < most)
    if len(ends) < alphabet or not known.all():
        raise FormatError("a code length is out of bounds, or missing")
    cursor.take(int(ends[-1]) // 8 + 1)
    if ahead[ends[-1] // 8] >> (ends[-1] % 8 + 1):
        raise FormatError("the padding of code lengths is not zero")
    if lengths[-1] == 0:
        raise FormatError("the last symbol of an alphabet does not occur")
    return lengths.astype(np.uint8).tobytes()

"""Canonical, length-limited Huffman coding.

Symbols are coded in chunks; each chunk is a byte-aligned stream of its own, so that chunks decode
independently, side by side, on several threads and in bounded memory.

Source: Huffman 1952; length limit by package-merge, Larmore & Hirschberg 1990; canonical form as
in Deflate (RFC 1951, sec. 3.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import FormatError
from compress.kernels import bits
from compress.threads import n_threads, side_by_side

CHUNK = 1 << 16  # symbols to a chunk, unless told
MAX_LENGTH = 16  # bits in the longest codeword that the format allows
MAX_ALPHABET = 1 << 16

Symbols = NDArray[np.uint8 | np.uint16]


@dataclass(frozen=True, slots=True)
class Huffman:
    r"""The canonical Huffman code with the given codeword lengths.

    >>> code = Huffman.of_counts(np.array([5, 2, 1]))
    >>> code.lengths
    b'\x01\x02\x02'
    >>> code.decode(code.encode(np.array([0, 2, 0, 1], np.uint16)), 4)
    array([0, 2, 0, 1], dtype=uint8)
    """

    lengths: bytes  #: bits of each symbol's codeword, 0 for a symbol that does not occur
    chunk: int = CHUNK  #: symbols to a chunk; the last one holds the rest

    def __post_init__(self) -> None:
        used = np.frombuffer(self.lengths, np.uint8)
        used = used[used > 0].astype(np.int64)
        if len(self.lengths) > MAX_ALPHABET or len(used) < 2 or used.max() > MAX_LENGTH:
            raise FormatError("a Huffman code has 2 to 65536 symbols of at most 16 bits")
        if (1 << (MAX_LENGTH - used)).sum() != 1 << MAX_LENGTH:
            raise FormatError("the lengths of a Huffman code do not fill the code space")

    @classmethod
    def of_counts(cls, counts: NDArray[np.int64]) -> Huffman:
        """Return the best code for symbols that occur `counts` times, two of them at least."""
        lengths = np.zeros(len(counts), np.uint8)
        used = np.flatnonzero(counts)
        # Short tables decode faster; a limit of 12 costs a small alphabet next to nothing.
        limit = 12 if len(used) <= 1 << 10 else MAX_LENGTH
        lengths[used] = _package_merge(counts[used], limit)
        return cls(lengths.tobytes())

    def n_bits(self, counts: NDArray[np.int64]) -> int:
        """Return the bits of all codewords, without the padding of chunks."""
        return int(counts[: len(self.lengths)] @ np.frombuffer(self.lengths, np.uint8).astype(int))

    def encode(self, symbols: Symbols) -> bytes:
        """Return the sizes of all chunks but the last (4 bytes each), then the chunks."""
        lengths = np.frombuffer(self.lengths, np.uint8)
        assert len(symbols) == 0 or int(symbols.max()) < len(lengths)
        counts = bits.count(symbols, len(lengths))
        assert not counts[lengths == 0].any()
        sizes = np.zeros(-(-len(symbols) // self.chunk), np.int64)
        out = np.empty(self.n_bits(counts) // 8 + len(sizes) + 8, np.uint8)
        written = bits.encode_huffman(symbols, _codewords(lengths), self.chunk, out, sizes)
        return b"".join([sizes[:-1].astype("<u4").data, out[:written].data])

    def decode(self, data: bytes | memoryview, count: int) -> Symbols:
        """Return the symbols, shape `(count,)`; raise `FormatError` if `data` is not theirs."""
        if count <= 8 * len(data):  # more cannot be, and get no memory
            out = np.empty(count, symbol_dtype(len(self.lengths)))
            if self._decoded(np.frombuffer(data, np.uint8), out):
                return out
        raise FormatError(f"{len(data)} bytes are not {count} Huffman codewords")

    def _decoded(self, data: NDArray[np.uint8], out: Symbols) -> bool:
        """Write the symbols to `out`, or return False where `data` is not theirs."""
        lengths = np.frombuffer(self.lengths, np.uint8)
        n_chunks, threads = -(-len(out) // self.chunk), n_threads(len(out))
        step = max(-(-n_chunks // threads), 1)

        def part(begin: int) -> bool:
            end = min(begin + step, n_chunks)
            return bits.decode_huffman(data, lengths, self.chunk, begin, end, out)

        return all(side_by_side(part, range(0, max(n_chunks, 1), step), threads))


def symbol_dtype(alphabet: int) -> type[np.uint8] | type[np.uint16]:
    """Return the array type of symbols below `alphabet`."""
    return np.uint8 if alphabet <= 1 << 8 else np.uint16


def _package_merge(counts: NDArray[np.int64], limit: int) -> NDArray[np.uint8]:
    """Return the lengths, at most `limit`, that make the sum of counts times lengths least."""
    order = np.argsort(counts, kind="stable")
    leaves = counts[order]
    is_leaf = [np.ones(len(leaves), np.bool_)]
    row = leaves
    for _ in range(limit - 1):
        pairs = row[: len(row) // 2 * 2].reshape(-1, 2).sum(1)
        both = np.concatenate([leaves, pairs])
        by_weight = np.argsort(both, kind="stable")
        row = both[by_weight]
        is_leaf.append(by_weight < len(leaves))
    lengths = np.zeros(len(counts), np.uint8)
    taken = 2 * len(counts) - 2
    for leaf in reversed(is_leaf):
        n_leaves = int(leaf[:taken].sum())
        lengths[order[:n_leaves]] += 1
        taken = 2 * (taken - n_leaves)
    return lengths


def _codewords(lengths: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return each symbol's canonical codeword, its first bit lowest, | its length << 16."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    sizes = lengths[order].astype(np.int64)
    # Canonical codes are running sums of 2**-length, here in units of 2**-MAX_LENGTH.
    starts = np.cumsum(1 << (MAX_LENGTH - sizes)) - (1 << (MAX_LENGTH - sizes))
    codewords = np.zeros(len(lengths), np.uint32)
    codewords[order] = _reverse(starts.astype(np.uint16)) | sizes << bits.LENGTH_SHIFT
    return codewords


def _reverse(words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Reverse the 16 bits of each word."""
    as_bits = np.unpackbits(words.astype(">u2").view(np.uint8)).reshape(-1, 16)
    return np.packbits(as_bits[:, ::-1]).view(">u2").astype(np.uint16)

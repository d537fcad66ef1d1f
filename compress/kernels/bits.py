"""Bit streams, least significant bit first: fixed-width fields and canonical Huffman codes.

Private kernels: arguments are checked by the caller (`compress.codecs`). All release the GIL.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Symbols = NDArray[np.uint8 | np.uint16]

TABLE_LENGTH_SHIFT = 16  # a decoding table's entry is symbol | length << 16


@njit(cache=True, nogil=True)
def pack_fields(values: Symbols, bits: int, out: Bytes) -> None:
    """Write each value as `bits` bits to `out`, shape `(ceil(n * bits / 8),)`, zero padded."""
    held, n_held, at = np.uint64(0), np.uint64(0), 0
    for value in values:
        held |= np.uint64(value) << n_held
        n_held += np.uint64(bits)
        while n_held >= np.uint64(8):
            out[at] = np.uint8(held & np.uint64(255))
            at += 1
            held >>= np.uint64(8)
            n_held -= np.uint64(8)
    if n_held:
        out[at] = np.uint8(held)


@njit(cache=True, nogil=True)
def unpack_fields(data: Bytes, bits: int, out: Symbols) -> int:
    """Read `len(out)` values of `bits` bits; return what the padding holds, 0 if it is valid."""
    held, n_held, at = np.uint64(0), np.uint64(0), 0
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for i in range(out.shape[0]):
        while n_held < np.uint64(bits):
            held |= np.uint64(data[at]) << n_held
            at += 1
            n_held += np.uint64(8)
        out[i] = held & mask
        held >>= np.uint64(bits)
        n_held -= np.uint64(bits)
    return int(held)


@njit(cache=True, nogil=True)
def encode_huffman(
    symbols: Symbols,
    codewords: Symbols,
    lengths: Bytes,
    chunk: int,
    out: Bytes,
    sizes: NDArray[np.int64],
) -> int:
    """Write each run of `chunk` symbols as a byte-aligned stream; return the bytes written.

    Args:
        symbols: shape `(n,)`.
        codewords: bits of each symbol's codeword, first bit lowest, shape `(alphabet,)`.
        lengths: bits in each codeword, shape `(alphabet,)`.
        chunk: symbols to a stream.
        out: at least the total of all streams plus 8 bytes.
        sizes: receives the bytes of each stream, shape `(ceil(n / chunk),)`.
    """
    at = 0
    for i in range(sizes.shape[0]):
        begin = at
        held, n_held = np.uint64(0), np.uint64(0)
        for symbol in symbols[i * chunk : (i + 1) * chunk]:
            held |= np.uint64(codewords[symbol]) << n_held
            n_held += np.uint64(lengths[symbol])
            while n_held >= np.uint64(32):
                for _ in range(4):
                    out[at] = np.uint8(held & np.uint64(255))
                    at += 1
                    held >>= np.uint64(8)
                n_held -= np.uint64(32)
        while n_held > np.uint64(0):
            out[at] = np.uint8(held & np.uint64(255))
            at += 1
            held >>= np.uint64(8)
            n_held -= min(n_held, np.uint64(8))
        sizes[i] = at - begin
    return at


@njit(cache=True, nogil=True)
def decode_huffman(
    data: Bytes,
    offsets: NDArray[np.int64],
    table: NDArray[np.uint32],
    table_bits: int,
    chunk: int,
    out: Symbols,
) -> bool:
    """Decode the streams `data[offsets[i]:offsets[i + 1]]`; return False where one is not valid.

    A stream is valid when its symbols end in its last byte and the padding bits are zero.

    Args:
        data: all streams, shape `(n_bytes,)`.
        offsets: shape `(n_streams + 1,)`, ascending, within `data`.
        table: symbol | length << 16 for each `table_bits` next bits, shape `(2**table_bits,)`.
        table_bits: bits to look up, at most 16.
        chunk: symbols to a stream; the last one holds the rest.
        out: shape `(n,)`.
    """
    mask = (np.uint64(1) << np.uint64(table_bits)) - np.uint64(1)
    shift, low = np.uint64(TABLE_LENGTH_SHIFT), np.uint64(0xFFFF)
    n = out.shape[0]
    for i in range(offsets.shape[0] - 1):
        at, end = offsets[i], offsets[i + 1]
        position, stop = i * chunk, min((i + 1) * chunk, n)
        held, n_held = np.uint64(0), np.uint64(0)
        # Three look-ups of 16 bits fit in the 48 bits that a refill guarantees.
        while position + 3 <= stop and at + 8 <= end:
            word = np.uint64(0)
            for j in range(8):
                word |= np.uint64(data[at + j]) << np.uint64(8 * j)
            held |= word << n_held
            taken = (np.uint64(63) - n_held) >> np.uint64(3)
            at += np.int64(taken)
            n_held += taken << np.uint64(3)
            for _ in range(3):
                entry = np.uint64(table[held & mask])
                out[position] = entry & low
                position += 1
                held >>= entry >> shift
                n_held -= entry >> shift
        if n_held < np.uint64(64):
            held &= (np.uint64(1) << n_held) - np.uint64(1)
        while position < stop:
            while n_held <= np.uint64(48) and at < end:
                held |= np.uint64(data[at]) << n_held
                at += 1
                n_held += np.uint64(8)
            entry = np.uint64(table[held & mask])
            length = entry >> shift
            if length > n_held:
                return False
            out[position] = entry & low
            position += 1
            held >>= length
            n_held -= length
        if at != end or n_held >= np.uint64(8) or held != np.uint64(0):
            return False
    return True

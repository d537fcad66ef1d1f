"""Bit streams, least significant bit first: fixed-width fields and canonical Huffman codes.

Private kernels: arguments are checked by the caller (`compress.codecs`). All release the GIL.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled

Bytes = NDArray[np.uint8]
Symbols = NDArray[np.uint8 | np.uint16]

_State = tuple[np.uint64, np.uint64, np.uint64]  # bits held, how many, and the next place

LENGTH_SHIFT = 16  # a table's entry is a symbol or codeword | length << 16
RUN_BITS = 12  # of a look-up of several symbols: 16 KiB, half of a small first-level cache


@compiled()
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


@compiled()
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


def count(symbols: Symbols, alphabet: int) -> NDArray[np.int64]:
    """Count each symbol below `alphabet`, shape `(alphabet,)`."""
    counts = np.zeros((2, alphabet), np.int64)
    _count(symbols, counts)
    both: NDArray[np.int64] = counts.sum(0)
    return both


@compiled()
def _count(symbols: Symbols, counts: NDArray[np.int64]) -> None:
    # Two rows: equal symbols in a row do not wait for each other's count.
    for i in range(0, symbols.shape[0] - 1, 2):
        counts[0, symbols[i]] += 1
        counts[1, symbols[i + 1]] += 1
    if symbols.shape[0] % 2:
        counts[0, symbols[-1]] += 1


@compiled()
def encode_huffman(
    symbols: Symbols,
    codewords: NDArray[np.uint32],
    chunk: int,
    out: Bytes,
    sizes: NDArray[np.int64],
) -> np.int64:
    """Write each run of `chunk` symbols as a byte-aligned stream; return the bytes written.

    Args:
        symbols: shape `(n,)`.
        codewords: codeword, first bit lowest, | length << 16 of each symbol, shape `(alphabet,)`.
        chunk: symbols to a stream.
        out: at least the total of all streams plus 8 bytes.
        sizes: receives the bytes of each stream, shape `(ceil(n / chunk),)`.
    """
    at, low, shift = np.uint64(0), np.uint64(0xFFFF), np.uint64(LENGTH_SHIFT)
    for i in range(sizes.shape[0]):
        begin = at
        held, n_held = np.uint64(0), np.uint64(0)
        for symbol in symbols[i * chunk : (i + 1) * chunk]:
            codeword = np.uint64(codewords[symbol])
            held |= (codeword & low) << n_held
            n_held += codeword >> shift
            if n_held >= np.uint64(32):
                for j in range(4):
                    out[at + np.uint64(j)] = np.uint8(held >> np.uint64(8 * j) & np.uint64(255))
                at += np.uint64(4)
                held >>= np.uint64(32)
                n_held -= np.uint64(32)
        while n_held > np.uint64(0):
            out[at] = np.uint8(held & np.uint64(255))
            at += np.uint64(1)
            held >>= np.uint64(8)
            n_held -= min(n_held, np.uint64(8))
        sizes[i] = at - begin
    return np.int64(at)


@compiled()
def table_of(lengths: Bytes) -> NDArray[np.uint32]:
    """Return a decoding table of the canonical code with these codeword lengths.

    Args:
        lengths: of each symbol, 16 at most, 0 where there is none; they fill the code space,
            shape `(n,)`.

    Returns:
        Symbol | length << 16 for each next bits, as many as the longest codeword has.
    """
    counts = np.zeros(18, np.int64)  # of symbols by length, one further
    for length in lengths:
        counts[length + 1] += length > 0
    starts = np.cumsum(counts)
    order = np.empty(starts[-1], np.uint32)
    for symbol in range(lengths.shape[0]):
        length = lengths[symbol]
        if length > 0:
            order[starts[length]] = symbol
            starts[length] += 1
    longest = np.int64(lengths[order[-1]])
    table = np.empty(1 << longest, np.uint32)
    code = np.int64(0)  # the next codeword, its last bit lowest; below, its first bit
    for symbol in order:
        length = np.int64(lengths[symbol])
        turned = np.int64(0)
        for bit in range(length):
            turned |= (code >> (longest - 1 - bit) & 1) << bit
        table[turned :: 1 << length] = symbol | np.uint32(length << LENGTH_SHIFT)
        code += 1 << (longest - length)
    return table


@compiled()
def _runs_of(table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Widen a decoding table to as many symbols at once as `RUN_BITS` bits hold, three at most.

    Returns:
        Their bits | the symbols, a byte each, << 6 | their number << 30 for each next `RUN_BITS`
        bits.
    """
    runs = np.empty(1 << RUN_BITS, np.uint32)
    mask = np.uint32(table.shape[0] - 1)
    for ahead in range(runs.shape[0]):
        run = n_bits = n_symbols = np.uint32(0)
        while n_symbols < 3:
            entry = table[np.uint32(ahead) >> n_bits & mask]
            length = entry >> np.uint32(LENGTH_SHIFT)
            if n_bits + length > np.uint32(RUN_BITS):
                break
            run |= (entry & np.uint32(0xFF)) << np.uint32(6 + 8 * n_symbols)
            n_bits += length
            n_symbols += np.uint32(1)
        runs[ahead] = n_bits | run | n_symbols << np.uint32(30)
    return runs


@compiled()
def decode_huffman(
    data: Bytes, lengths: Bytes, chunk: int, begin: int, end: int, out: Symbols
) -> bool:
    """Decode the chunks `begin` to `end` of a stream; return False where it is not valid.

    The stream is the sizes of all chunks but the last, 4 bytes each, and the chunks. A chunk is
    valid when its symbols end in its last byte and the padding bits are zero. Four are decoded side
    by side: their look-ups do not wait for each other.

    Args:
        data: the stream, shape `(n_bytes,)`.
        lengths: of the codewords, as `table_of` takes them.
        chunk: symbols to a chunk; the last one holds the rest.
        begin: the first chunk that is decoded.
        end: the chunk that follows the last one.
        out: all symbols, shape `(n,)`, uint8 where there are 256 lengths at most; those of other
            chunks stay.
    """
    n_chunks = -(-out.shape[0] // chunk)
    head = 4 * max(n_chunks - 1, 0)
    if data.shape[0] < head or (n_chunks == 0 and data.shape[0] > 0):
        return False
    offsets = np.empty(n_chunks + 1, np.int64)
    offsets[0], offsets[n_chunks] = head, data.shape[0]
    for i in range(n_chunks - 1):
        size = np.int64(0)
        for j in range(4):
            size |= np.int64(data[4 * i + j]) << (8 * j)
        offsets[i + 1] = offsets[i] + size
    if n_chunks > 0 and offsets[n_chunks - 1] > data.shape[0]:
        return False
    table = table_of(lengths)
    starts, positions = offsets[:-1] * 8, np.arange(n_chunks) * chunk
    stops = np.minimum(positions + chunk, out.shape[0])
    if end - begin >= 4 and lengths.shape[0] <= 256 and table.shape[0] <= 1 << RUN_BITS:
        runs = _runs_of(table)
        for i in range(begin, end - 3, 4):
            lanes = slice(i, i + 4)
            _decode_lanes(
                data,
                starts[lanes],
                offsets[i + 1 : i + 5],
                runs,
                out,
                positions[lanes],
                stops[lanes],
            )
    for i in range(begin, end):
        if not _decode_rest(data, starts[i], offsets[i + 1], table, out, positions[i], stops[i]):
            return False
    return True


@compiled()
def _decode_lanes(
    data: Bytes,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    runs: NDArray[np.uint32],
    out: Symbols,
    positions: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> None:
    """Decode four streams until one is nearly done; move `starts` (in bits) and `positions` on."""
    at0, at1, at2, at3 = starts.astype(np.uint64) >> np.uint64(3)
    out0, out1, out2, out3 = positions.astype(np.uint64)
    held0 = held1 = held2 = held3 = np.uint64(0)
    n0 = n1 = n2 = n3 = np.uint64(0)
    last_read = ends.astype(np.int64) - 8
    last_write = stops.astype(np.int64) - 4 * 3 - 1
    while (
        (np.int64(at0) <= last_read[0])
        & (np.int64(at1) <= last_read[1])
        & (np.int64(at2) <= last_read[2])
        & (np.int64(at3) <= last_read[3])
        & (np.int64(out0) <= last_write[0])
        & (np.int64(out1) <= last_write[1])
        & (np.int64(out2) <= last_write[2])
        & (np.int64(out3) <= last_write[3])
    ):
        held0, n0, at0 = _refill(data, held0, n0, at0)
        held1, n1, at1 = _refill(data, held1, n1, at1)
        held2, n2, at2 = _refill(data, held2, n2, at2)
        held3, n3, at3 = _refill(data, held3, n3, at3)
        for _ in range(4):  # a refill guarantees 56 bits, four look-ups take 48
            held0, n0, out0 = _take_run(runs, held0, n0, out, out0)
            held1, n1, out1 = _take_run(runs, held1, n1, out, out1)
            held2, n2, out2 = _take_run(runs, held2, n2, out, out2)
            held3, n3, out3 = _take_run(runs, held3, n3, out, out3)
    bits_in, done = (at0, at1, at2, at3), (out0, out1, out2, out3)
    left = (n0, n1, n2, n3)
    for lane in range(4):
        starts[lane] = np.int64(bits_in[lane]) * 8 - np.int64(left[lane])
        positions[lane] = np.int64(done[lane])


@compiled(inline="always")
def _refill(data: Bytes, held: np.uint64, n_held: np.uint64, at: np.uint64) -> _State:
    """Hold 56 to 63 bits: bytes of which a part did not fit are read again."""
    word = np.uint64(0)
    for j in range(8):
        word |= np.uint64(data[at + np.uint64(j)]) << np.uint64(8 * j)
    taken = (np.uint64(63) - n_held) >> np.uint64(3)
    return held | word << n_held, n_held + (taken << np.uint64(3)), at + taken


@compiled(inline="always")
def _take_run(
    runs: NDArray[np.uint32], held: np.uint64, n_held: np.uint64, out: Symbols, at: np.uint64
) -> _State:
    """Write the next run; what stands behind its symbols is written over by the next one."""
    run = np.uint64(runs[held & np.uint64((1 << RUN_BITS) - 1)])
    symbols = run >> np.uint64(6)
    # Three and a byte more: written out, they compile to one store.
    out[at] = np.uint8(symbols)
    out[at + np.uint64(1)] = np.uint8(symbols >> np.uint64(8))
    out[at + np.uint64(2)] = np.uint8(symbols >> np.uint64(16))
    out[at + np.uint64(3)] = np.uint8(symbols >> np.uint64(24))
    used = run & np.uint64(63)
    return held >> used, n_held - used, at + (run >> np.uint64(30))


@compiled()
def _decode_rest(
    data: Bytes,
    start: int,
    end: int,
    table: NDArray[np.uint32],
    out: Symbols,
    position: int,
    stop: int,
) -> bool:
    """Decode a stream from the bit `start` to its end, symbol by symbol; is it valid?"""
    mask = np.uint64(table.shape[0] - 1)
    shift, low = np.uint64(LENGTH_SHIFT), np.uint64(0xFFFF)
    at, skipped = np.int64(start >> 3), np.uint64(start & 7)
    held, n_held = np.uint64(0), np.uint64(0)
    if skipped:
        held, n_held, at = np.uint64(data[at]) >> skipped, np.uint64(8) - skipped, at + 1
    # Three look-ups of 16 bits fit in the 56 bits that a refill guarantees.
    while position + 3 <= stop and at + 8 <= end:
        held, n_held, moved = _refill(data, held, n_held, np.uint64(at))
        at = np.int64(moved)
        for _ in range(3):
            entry = np.uint64(table[held & mask])
            out[position] = entry & low
            position += 1
            held >>= entry >> shift
            n_held -= entry >> shift
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
    return bool(at == end and n_held < np.uint64(8) and held == np.uint64(0))

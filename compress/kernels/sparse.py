"""Positions of nonzeros as gaps, and values put back at their positions.

Source: Han, Mao, Dally 2016, arXiv:1510.00149, sec. 2 and Fig. 2 (relative indices). The filler
zero of the paper takes a code and a gap; here it takes a gap only.

Private kernels: arguments are checked by the caller (`compress.artifact`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled

Items = NDArray[Any]  # unsigned integers of 1, 2, 4 or 8 bytes
Positions = NDArray[np.int64]
Symbols = NDArray[np.uint8 | np.uint16]


def gap_counts(positions: Positions, bits: int) -> NDArray[np.int64]:
    """Count the symbols that `to_gaps` gives, shape `(2**bits,)`."""
    counts = np.zeros(1 << bits, np.int64)
    _count_gaps(positions, (1 << bits) - 1, counts)
    return counts


def to_gaps(positions: Positions, bits: int) -> NDArray[np.uint16]:
    """Turn ascending positions into gaps: the zeros skipped before each nonzero.

    The symbol 2**bits - 1 is the filler: so many zeros are skipped and no nonzero follows.

    >>> to_gaps(np.array([0, 3, 12]), bits=3)
    array([0, 2, 7, 1], dtype=uint16)
    """
    out = np.empty(int(gap_counts(positions, bits).sum()), np.uint16)
    _write_gaps(positions, (1 << bits) - 1, out)
    return out


@compiled()
def _count_gaps(positions: Positions, filler: int, counts: NDArray[np.int64]) -> None:
    before = np.int64(-1)
    for position in positions:
        zeros = position - before - 1
        counts[filler] += zeros // filler
        counts[zeros % filler] += 1
        before = position


@compiled()
def _write_gaps(positions: Positions, filler: int, out: NDArray[np.uint16]) -> None:
    before, at = np.int64(-1), 0
    for position in positions:
        zeros = position - before - 1
        for _ in range(zeros // filler):
            out[at] = filler
            at += 1
        out[at] = zeros % filler
        at += 1
        before = position


@compiled()
def put_gaps(
    gaps: Symbols, filler: int, values: Items, rows: int, columns: int, out: Items
) -> bool:
    """Put `values` at the positions that `gaps` tell; False where they do not fit.

    Positions count down the columns of `out` seen as `(rows, columns)`; one column: in order.
    """
    position, n_put = np.int64(-1), 0
    n = out.shape[0]
    for gap in gaps:
        position += np.int64(gap) + (gap != filler)
        if gap > filler or position >= n:
            return False
        if gap == filler:
            continue
        if n_put >= values.shape[0]:
            return False
        place = position if columns == 1 else (position % rows) * columns + position // rows
        out[place] = values[n_put]
        n_put += 1
    return bool(n_put == values.shape[0] and (gaps.shape[0] == 0 or gaps[-1] != filler))


@compiled()
def put_mask(mask: NDArray[np.uint8], values: Items, rows: int, columns: int, out: Items) -> None:
    """Put `values` where the bits of `mask`, lowest first, are set; it has one for each value."""
    n_put = 0
    for i in range(mask.shape[0]):
        byte = mask[i]
        for j in range(8):
            if byte >> j & 1:
                position = 8 * i + j
                place = position if columns == 1 else (position % rows) * columns + position // rows
                out[place] = values[n_put]
                n_put += 1


@compiled()
def take_codes(codebook: Items, codes: Symbols, out: Items) -> None:
    """Write the codebook's item of each code to `out`."""
    for i in range(codes.shape[0]):
        out[i] = codebook[codes[i]]

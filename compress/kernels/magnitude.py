"""Selection by magnitude: which weights are pruned, in linear time and without index arrays.

Magnitudes are compared as the integers that their bits make: for floats that are not negative the
order is the same, and two histograms of 16 bits find the threshold exactly.

Sources: Han et al. 2015, arXiv:1506.02626, sec. 3; Lee et al. 2021, arXiv:2010.07611, eq. 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, require
from compress.kernels.compiled import compiled

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

_INFINITY_BITS = 0x7F800000  # bits of a finite magnitude are below
_PRUNED = np.float32(-1)  # score of a weight that earlier masks took: below all others


def keep_largest(values: Values, n_pruned: int, keep: Mask | None = None) -> Mask:
    """Return a mask without the `n_pruned` weights of smallest magnitude; first ones go first.

    Args:
        values: shape `(n,)`, finite.
        n_pruned: weights to prune, in [0, n].
        keep: an earlier mask, shape `(n,)`; what it took stays pruned and counts as pruned, so
            that more than `n_pruned` weights go where it took more.

    Raises:
        DataError: when a kept value is not finite.

    >>> keep_largest(np.float32([-3, 1, 2, 1]), 2)
    array([ True, False,  True, False])
    """
    _require_rows(values, keep)
    require(0 <= n_pruned <= len(values), "n_pruned", f"in [0, {len(values)}]", n_pruned)
    earlier = np.ones(len(values), np.bool_) if keep is None else keep
    left = n_pruned - (len(values) - int(np.count_nonzero(earlier)))
    high = np.zeros(1 << 16, np.int64)
    _high_bits(values, earlier, high)
    if high[_INFINITY_BITS >> 16 :].any():
        raise DataError("weights must be finite, got NaN or infinity among them")
    if left <= 0:
        return earlier.copy()
    top, below = _rank(high, left)
    low = np.zeros(1 << 16, np.int64)
    _low_bits(values, earlier, top, low)
    bottom, tied = _rank(low, left - below)
    out = np.empty(len(values), np.bool_)
    _keep_above(values, earlier, top << 16 | bottom, left - below - tied, out)
    return out


def sorted_magnitudes(values: Values, keep: Mask | None, out: Values) -> None:
    """Write the magnitudes in ascending order to `out`, shape `(n,)`; -1 for what `keep` took.

    Raises:
        DataError: when a kept value is not finite.
    """
    _require_rows(values, keep)
    np.abs(values, out=out)
    if keep is not None:
        np.copyto(out, _PRUNED, where=~keep)
    out.sort()
    if len(out) and not np.isfinite(out[-1]):  # NaN sorts to the end
        raise DataError("weights must be finite, got NaN or infinity among them")


def lamp_scores(magnitudes: Values) -> None:
    """Turn one layer's ascending magnitudes into LAMP scores, in place and still ascending.

    A weight's score is its square over the sum of the squares of all weights that are not smaller.
    The largest weight's is infinite here instead of 1: a layer keeps it whatever others score.

    >>> scores = np.float32([1, 1, 2])
    >>> lamp_scores(scores)
    >>> scores
    array([0.16666667, 0.2       ,        inf], dtype=float32)
    """
    _require_rows(magnitudes, None)
    _lamp(magnitudes)


def smallest_counts(scores: Sequence[Values], n: int) -> list[int]:
    """Return how many of the `n` smallest scores each layer has; of equals, first layers' first.

    Args:
        scores: each layer's, ascending, without NaN.
        n: in [0, all].

    >>> smallest_counts([np.float32([1, 5]), np.float32([2, 5, 5])], 3)
    [2, 1]
    """
    total = sum(map(len, scores))
    require(0 <= n <= total, "n", f"in [0, {total}]", n)
    threshold = _nth(scores, n)
    counts = [int(np.searchsorted(layer, threshold, "left")) for layer in scores]
    left = n - sum(counts)
    for i, layer in enumerate(scores):
        tied = int(np.searchsorted(layer, threshold, "right")) - counts[i]
        counts[i] += min(tied, left)
        left -= min(tied, left)
    return counts


def _require_rows(values: Values, keep: Mask | None) -> None:
    require(values.dtype == np.float32, "values", "float32", str(values.dtype))
    require(values.ndim == 1, "values", "one-dimensional", values.shape)
    if keep is not None:
        require(keep.dtype == np.bool_, "keep", "bool", str(keep.dtype))
        require(keep.shape == values.shape, "keep", f"of shape {values.shape}", keep.shape)


def _nth(scores: Sequence[Values], n: int) -> np.float32:
    """Return the largest float32 with fewer than `n` scores below it, or -inf.

    A bisection over all float32 in order: 32 searches a layer.
    """
    low, high = _ordinal(np.float32(-np.inf)), _ordinal(np.float32(np.inf))
    while low < high:
        middle = (low + high + 1) >> 1
        threshold = _float(middle)
        if sum(int(np.searchsorted(layer, threshold, "left")) for layer in scores) < n:
            low = middle
        else:
            high = middle - 1
    return _float(low)


def _ordinal(value: np.float32) -> int:
    """Return the place of a float32 in the order of all, zeros at 0."""
    bits = int(value.view(np.uint32))
    return bits if bits < 1 << 31 else (1 << 31) - bits


def _float(ordinal: int) -> np.float32:
    bits = ordinal if ordinal >= 0 else (1 << 31) - ordinal
    return np.uint32(bits).view(np.float32)


def _rank(histogram: NDArray[np.int64], rank: int) -> tuple[int, int]:
    """Return the bin that holds the `rank`-th smallest, from 1, and how many lie below the bin."""
    cumulative = histogram.cumsum()
    found = int(np.searchsorted(cumulative, rank))
    return found, int(cumulative[found] - histogram[found])


@compiled()
def _high_bits(values: Values, keep: Mask, histogram: NDArray[np.int64]) -> None:
    bits = values.view(np.uint32)
    for i in range(len(bits)):
        if keep[i]:
            histogram[(bits[i] & np.uint32(0x7FFFFFFF)) >> np.uint32(16)] += 1


@compiled()
def _low_bits(values: Values, keep: Mask, high: int, histogram: NDArray[np.int64]) -> None:
    bits = values.view(np.uint32)
    for i in range(len(bits)):
        magnitude = bits[i] & np.uint32(0x7FFFFFFF)
        if keep[i] and magnitude >> np.uint32(16) == high:
            histogram[magnitude & np.uint32(0xFFFF)] += 1


@compiled()
def _keep_above(values: Values, keep: Mask, threshold: int, n_tied: int, out: Mask) -> None:
    """Prune what is below the threshold and the first `n_tied` that equal it."""
    bits = values.view(np.uint32)
    for i in range(len(bits)):
        magnitude = np.int64(bits[i] & np.uint32(0x7FFFFFFF))
        kept = keep[i] and magnitude >= threshold
        if kept and magnitude == threshold and n_tied > 0:
            n_tied -= 1
            kept = False
        out[i] = kept


@compiled()
def _lamp(magnitudes: Values) -> None:
    """Sum the squares from the largest down; arguments are checked by the caller."""
    total = 0.0
    for i in range(len(magnitudes) - 1, -1, -1):
        magnitude = np.float64(magnitudes[i])
        if magnitude < 0:
            break
        square = magnitude * magnitude
        total += square
        magnitudes[i] = square / total if total > 0 else 0.0
    if len(magnitudes) and magnitudes[-1] >= 0:
        magnitudes[-1] = np.inf

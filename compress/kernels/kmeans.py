"""k-means of numbers: Lloyd's iteration on sorted values, where a cluster is a range.

A step then costs k binary searches and k range sums instead of n distances: range sums come from
the sums of blocks, so that nothing of the size of the values is kept beside them.

Source: Lloyd 1982, doi:10.1109/TIT.1982.1056489; initialisations from Han et al. 2016,
arXiv:1510.00149, sec. 3.2.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_never

from compress.errors import DataError, require
from compress.kernels.compiled import compiled

Init = Literal["linear", "density", "random"]
Values = NDArray[np.float32]
Codes = NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32]

_BLOCK = 256  # values that one prefix sum covers
_MAX_CLUSTERS = 1 << 16
_MAX_REFILLED = 64  # empty clusters refilled in one step: it costs k comparisons for each
_CELLS = 8  # cells of the look-up grid for each centroid


def kmeans_1d(
    values: Values,
    k: int,
    *,
    init: Init,
    seed: int | tuple[int, ...] = 0,
    max_iter: int = 300,
    overwrite: bool = False,
) -> tuple[Values, float]:
    """Cluster numbers; stop when no number changes its cluster, or after `max_iter` steps.

    Numbers of k or fewer distinct values are their own centroids. A cluster that runs empty takes
    the value that is farthest from its centroid; one that is empty at the end is dropped.

    Args:
        values: shape `(n,)`, n > 0, finite, in any order.
        k: clusters wanted, in [1, 65536].
        init: linear: evenly from the smallest value to the largest; density: evenly over the
            cumulative distribution; random: k of the values (Forgy).
        seed: of the random initialisation.
        max_iter: steps at most.
        overwrite: sort `values` in place instead of a copy.

    Returns:
        Centroids, shape `(k',)` with k' <= k, ascending and distinct, and the inertia: the sum of
        the squared distances of the values to their nearest centroids.

    Raises:
        DataError: when values are not finite.

    >>> kmeans_1d(np.float32([1, 9, 2, 8]), 2, init="linear")
    (array([1.5, 8.5], dtype=float32), 1.0)
    """
    require(1 <= k <= _MAX_CLUSTERS, "k", f"in [1, {_MAX_CLUSTERS}]", k)
    require(max_iter >= 1, "max_iter", "positive", max_iter)
    _require_row(values)
    ordered = values if overwrite else values.copy()
    ordered.sort()
    if not np.isfinite(ordered[[0, -1]]).all():  # NaN sorts to the end
        raise DataError("values must be finite, got NaN or infinity among them")
    few = np.empty(k, np.float32)
    n_distinct = _distinct(ordered, few)
    if n_distinct <= k:
        return few[:n_distinct] + np.float32(0), 0.0  # -0.0 becomes 0.0
    centroids = _initial(ordered, k, init, seed)
    _lloyd(ordered, _block_sums(ordered), centroids, max_iter)
    single = np.unique(centroids.astype(np.float32) + np.float32(0))
    counts, inertia = _spread(ordered, single, _midpoints(single))
    return single[counts > 0], float(inertia)


def assign(values: Values, centroids: Values, *, zeros_apart: bool = False) -> Codes:
    """Return the code of the nearest centroid of each value; halfway goes to the lower one.

    Args:
        values: shape `(n,)`, finite, in any order.
        centroids: shape `(k,)`, ascending and distinct.
        zeros_apart: give zeros the code -1 instead of a centroid.

    Returns:
        Codes, shape `(n,)`, of the smallest of int8, int16 and int32 that holds k - 1.

    >>> assign(np.float32([1, 9, 0]), np.float32([1.5, 8.5]), zeros_apart=True)
    array([ 0,  1, -1], dtype=int8)
    """
    _require_row(values, empty=True)
    require(centroids.ndim == 1, "centroids", "one-dimensional", centroids.shape)
    require(bool((np.diff(centroids) > 0).all()), "centroids", "ascending", centroids)
    codes: Codes = np.empty(len(values), np.min_scalar_type(-max(len(centroids), 2)))
    if len(values) == 0:
        return codes
    if not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise DataError("values must be finite, got NaN or infinity among them")
    if len(centroids) == 0:
        require(zeros_apart and not values.any(), "centroids", "at least one", 0)
    limits = _midpoints(centroids)
    first, step, starts = _grid(limits)
    _assign(values, limits, first, step, starts, zeros_apart, codes)
    return codes


def _require_row(values: Values, *, empty: bool = False) -> None:
    require(values.dtype == np.float32, "values", "float32", str(values.dtype))
    require(values.ndim == 1, "values", "one-dimensional", values.shape)
    require(empty or len(values) > 0, "values", "at least one number", 0)


def _initial(
    ordered: Values, k: int, init: Init, seed: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Return k ascending centroids to start from."""
    match init:
        case "linear":
            return np.linspace(ordered[0], ordered[-1], k, dtype=np.float64)
        case "density":
            places = (np.arange(k) + 0.5) * (len(ordered) / k)
            return ordered[places.astype(np.int64)].astype(np.float64)
        case "random":
            chosen = np.random.default_rng(seed).choice(len(ordered), k, replace=False)
            return ordered[np.sort(chosen)].astype(np.float64)
        case _:
            assert_never(init)


def _midpoints(centroids: Values) -> Values:
    """Return the largest float32 that still belongs to each centroid but the last, `(k - 1,)`."""
    exact = (centroids[:-1].astype(np.float64) + centroids[1:]) / 2
    limits = exact.astype(np.float32)
    return np.where(limits > exact, np.nextafter(limits, np.float32(-np.inf)), limits)


def _grid(limits: Values) -> tuple[float, float, NDArray[np.int32]]:
    """Return a grid over the limits: its first value, cells per unit, limits before each cell."""
    cells = max(1024, _CELLS * len(limits))
    first, last = (float(limits[0]), float(limits[-1])) if len(limits) else (0.0, 0.0)
    step = cells / (last - first) if last > first else 0.0
    occupied = np.bincount(_cells(limits, first, step, cells), minlength=cells)
    return first, step, np.concatenate([[0], occupied.cumsum()]).astype(np.int32)


@compiled()
def _cell(value: float, first: float, step: float, cells: int) -> int:
    """Return the cell of a value, which never falls as the value grows."""
    place = (value - first) * step
    if not place > 0:
        return 0
    return cells - 1 if place >= cells else int(place)


@compiled()
def _cells(values: Values, first: float, step: float, cells: int) -> NDArray[np.int64]:
    out = np.empty(len(values), np.int64)
    for i in range(len(values)):
        out[i] = _cell(values[i], first, step, cells)
    return out


@compiled()
def _assign(
    values: Values,
    limits: Values,
    first: float,
    step: float,
    starts: NDArray[np.int32],
    zeros_apart: bool,
    codes: Codes,
) -> None:
    """Write the number of limits below each value: its cell's limits are searched alone."""
    cells = len(starts) - 1
    for i in range(len(values)):
        value = values[i]
        if zeros_apart and value == 0:
            codes[i] = -1
            continue
        cell = _cell(value, first, step, cells)
        low, high = starts[cell], starts[cell + 1]
        while low < high:
            middle = (low + high) >> 1
            if limits[middle] < value:
                low = middle + 1
            else:
                high = middle
        codes[i] = low


@compiled()
def _distinct(ordered: Values, out: Values) -> int:
    """Write the distinct values; return their number, or one more than fit."""
    n_found = 0
    for i in range(len(ordered)):
        if i == 0 or ordered[i] != ordered[i - 1]:
            if n_found == len(out):
                return n_found + 1
            out[n_found] = ordered[i]
            n_found += 1
    return n_found


@compiled()
def _block_sums(ordered: Values) -> NDArray[np.float64]:
    """Return the sum of all values before each block."""
    n_blocks = len(ordered) // _BLOCK + 1
    sums = np.zeros(n_blocks, np.float64)
    for block in range(n_blocks - 1):
        total = 0.0
        for i in range(block * _BLOCK, (block + 1) * _BLOCK):
            total += np.float64(ordered[i])
        sums[block + 1] = sums[block] + total
    return sums


@compiled()
def _sum(ordered: Values, sums: NDArray[np.float64], begin: int, end: int) -> float:
    """Return the sum of a range, from the blocks where it is longer than two of them."""
    total = 0.0
    if end - begin <= 2 * _BLOCK:
        for i in range(begin, end):
            total += np.float64(ordered[i])
        return total
    first, last = begin // _BLOCK, end // _BLOCK
    for i in range(last * _BLOCK, end):
        total += np.float64(ordered[i])
    for i in range(first * _BLOCK, begin):
        total -= np.float64(ordered[i])
    return float(total + (sums[last] - sums[first]))


@compiled()
def _lloyd(
    ordered: Values, sums: NDArray[np.float64], centroids: NDArray[np.float64], max_iter: int
) -> None:
    """Move the ascending centroids to their clusters' means until no cluster changes."""
    k = len(centroids)
    ends, last = np.empty(k, np.int64), np.full(k, -1)
    for _ in range(max_iter):
        _divide(ordered, centroids, ends)
        if np.array_equal(ends, last):
            break
        last[:] = ends
        begins = np.zeros(k, np.int64)
        begins[1:] = ends[:-1]
        n_refilled = _refill(ordered, begins, ends, centroids)
        for j in range(k):
            if ends[j] > begins[j]:
                mean = _sum(ordered, sums, begins[j], ends[j]) / (ends[j] - begins[j])
                # Rounding of the sums must not carry a mean out of its cluster.
                least, most = ordered[begins[j]], ordered[ends[j] - 1]
                centroids[j] = min(max(mean, np.float64(least)), np.float64(most))
        if n_refilled:
            centroids.sort()
    _divide(ordered, centroids, ends)
    begin = 0
    for j in range(k):  # means of small clusters, without the rounding of large sums
        if ends[j] > begin:
            total = 0.0
            for i in range(begin, ends[j]):
                total += np.float64(ordered[i]) - centroids[j]
            centroids[j] += total / (ends[j] - begin)
        begin = ends[j]


@compiled()
def _divide(ordered: Values, centroids: NDArray[np.float64], ends: NDArray[np.int64]) -> None:
    """Write where each cluster ends: at the last value that is not past the midpoint."""
    low = 0
    for j in range(len(centroids) - 1):
        middle = (centroids[j] + centroids[j + 1]) / 2
        high = len(ordered)
        while low < high:
            place = (low + high) >> 1
            if np.float64(ordered[place]) <= middle:
                low = place + 1
            else:
                high = place
        ends[j] = low
    ends[-1] = len(ordered)


@compiled()
def _refill(
    ordered: Values,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    centroids: NDArray[np.float64],
) -> int:
    """Take the values farthest from their centroids out of their ranges for the empty clusters.

    The farthest value of a cluster is the first or the last of its range.

    Returns:
        How many clusters were refilled.
    """
    empty = np.nonzero(begins == ends)[0][:_MAX_REFILLED]
    if len(empty) == 0:
        return 0
    reach = np.empty(len(centroids), np.float64)
    for j in range(len(centroids)):
        reach[j] = _reach(ordered, begins[j], ends[j], centroids[j])
    for n_refilled in range(len(empty)):
        source = np.argmax(reach)
        if reach[source] <= 0:
            return n_refilled
        first, last = ordered[begins[source]], ordered[ends[source] - 1]
        if centroids[source] - np.float64(first) >= np.float64(last) - centroids[source]:
            centroids[empty[n_refilled]] = first
            begins[source] += 1
        else:
            centroids[empty[n_refilled]] = last
            ends[source] -= 1
        reach[source] = _reach(ordered, begins[source], ends[source], centroids[source])
    return len(empty)


@compiled()
def _reach(ordered: Values, begin: int, end: int, centroid: float) -> float:
    """Return the largest distance in a range that may lend a value: one of two or more."""
    if end - begin < 2:
        return -1.0
    return max(centroid - np.float64(ordered[begin]), np.float64(ordered[end - 1]) - centroid)


@compiled()
def _spread(ordered: Values, centroids: Values, limits: Values) -> tuple[NDArray[np.int64], float]:
    """Return how many values each centroid has, `(k,)`, and the inertia."""
    counts = np.zeros(len(centroids), np.int64)
    inertia, code = 0.0, 0
    for i in range(len(ordered)):
        while code < len(limits) and limits[code] < ordered[i]:
            code += 1
        counts[code] += 1
        inertia += (np.float64(ordered[i]) - np.float64(centroids[code])) ** 2
    return counts, inertia

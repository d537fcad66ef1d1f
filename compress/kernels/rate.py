"""Scalar quantization with the rate in its objective: few bits where little is lost.

Each number takes the centroid with the least sum of its weighted squared error and the bits that
the centroid costs at the present frequencies; centroids then move to the weighted means of what
they were given. Numbers that are zero stay zero and count as a symbol.

Sources: Chou, Lookabaugh & Gray 1989, "Entropy-constrained vector quantization"; on networks, with
Fisher weights, Choi, El-Khamy & Lee 2016, arXiv:1612.01543, sec. 4 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, require
from compress.kernels.columns import TILE, take_out
from compress.kernels.compiled import compiled

Values = NDArray[np.float32]
Codes = NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32]
Number = Any  # a scalar of a compiled function

_STEPS = 12  # of assignment and update: the objective hardly moves after ten
_REACH = 3  # centroids on either side of a number that may be cheaper than the nearest
# The best step s at high rates, for a price r of a bit and an importance h: s^2 = 6 r / (h ln 2).
_STEP = 6 / np.log(2)
_FRACTION_BITS = 10  # of a centroid: far below a step, and a rounded centroid costs a third


@dataclass(frozen=True, slots=True)
class Quantized:
    """What numbers became."""

    codes: Codes  #: index of the centroid, -1 for zero, shape `(n,)`
    centroids: Values  #: ascending, none of them zero, shape `(k,)`
    bits: float  #: entropy of all codes, zeros among them
    price: float  #: squared error that one bit is worth

    def choices(self) -> Choices:
        """Return what a code may stand for."""
        grid = np.append(0, self.centroids).astype(np.float64)
        costs = -self.price * np.log2(np.maximum(self._counts(), 0.5) / max(len(self.codes), 1))
        order = np.argsort(grid, kind="stable")
        return Choices(grid[order], costs[order])

    def recoded(self, codes: Codes) -> Quantized:
        """Return the same centroids with other codes, shape `(n,)`."""
        other = replace(self, codes=codes)
        return replace(other, bits=_entropy_bits(other._counts()))

    def _counts(self) -> NDArray[np.intp]:
        """Return how many codes stand for zero, and for each centroid."""
        found: NDArray[np.intp] = np.bincount(
            self.codes.astype(np.int32) + 1, minlength=len(self.centroids) + 1
        )
        return found


@dataclass(frozen=True, slots=True)
class Choices:
    """What a code may stand for, and what that costs at the frequency it has."""

    grid: NDArray[np.float64]  #: centroids and zero, ascending, shape `(k,)`
    costs: NDArray[np.float64]  #: squared error that the bits of each are worth, shape `(k,)`


def quantize(
    values: Values, importance: Values | None, price: float, max_centroids: int
) -> Quantized:
    """Quantize numbers at a price of a bit.

    Args:
        values: shape `(n,)`, finite.
        importance: weight of each number's squared error, at least 0, shape `(n,)`; None for 1.
        price: squared error that one bit is worth, above 0.
        max_centroids: at most, in [1, 32767].

    Raises:
        DataError: when values are not finite.

    >>> found = quantize(np.float32([0, 1, 1.01, -1, 0.001]), None, 0.01, 7)
    >>> found.codes.tolist(), found.centroids.round(2).tolist()
    ([-1, 1, 1, 0, -1], [-1.0, 1.0])
    """
    require(price > 0, "price", "above 0", price)
    require(1 <= max_centroids < 1 << 15, "max_centroids", "in [1, 32767]", max_centroids)
    if len(values) and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise DataError("values must be finite, got NaN or infinity among them")
    weights = np.ones(1, np.float32) if importance is None else importance
    codes = np.empty(len(values), np.int16)
    grid = _grid(values, importance, price, max_centroids)
    costs = np.full(len(grid), price * np.log2(max(len(grid), 2)))
    for _ in range(_STEPS):
        masses, moments, counts = _assign(values, weights, grid, costs, codes)
        grid, costs = _updated(grid, masses, moments, counts, price)
    grid, costs = _rounded(grid, costs)
    _, _, counts = _assign(values, weights, grid, costs, codes)
    zero = int(np.flatnonzero(grid == 0)[0])
    codes[codes >= 0] -= codes[codes >= 0] > zero
    return Quantized(codes, grid[grid != 0].astype(np.float32), _entropy_bits(counts), price)


def compensate(
    values: Values, importance: Values | None, choices: Choices, factor: Values
) -> Codes:
    """Choose codes anew, so that the errors of a row cancel on the inputs it is multiplied with.

    Columns are done in order. What one is off by is taken out of those behind it, in the proportion
    that leaves the least squared error of the products.

    Args:
        values: before quantization, shape `(m, n)`; zeros stay.
        importance: weight of each number's squared error, shape `(m, n)`; None for 1.
        choices: of the whole weight that these numbers are a part of.
        factor: upper triangular U, shape `(n, n)`; `U.T @ U` is the inverse of the inputs' mean
            outer product.

    Returns:
        Index of the centroid, -1 for zero, shape `(m, n)`.
    """
    weights = np.ones((1, 1), np.float32) if importance is None else importance
    codes: Codes = np.empty(values.shape, np.min_scalar_type(-max(len(choices.grid), 1 << 8)))
    _compensate(values.copy(), weights, factor, choices.grid, choices.costs, codes)
    return codes


def _entropy_bits(counts: NDArray[np.intp]) -> float:
    """Return the entropy of symbols that occur `counts` times, of all of them together."""
    used = counts[counts > 0]
    return float(-(used * np.log2(used / used.sum())).sum())


def _grid(
    values: Values, importance: Values | None, price: float, max_centroids: int
) -> NDArray[np.float64]:
    """Return evenly spaced numbers around zero, itself among them, that reach all values."""
    mean = 1.0
    if importance is not None:
        nonzero = values != 0
        mean = float(importance[nonzero].mean(dtype=np.float64)) if nonzero.any() else 1.0
    low, high = (min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 0.0))
    least = (high - low) / max_centroids
    step = max(np.sqrt(_STEP * price / max(mean, 1e-30)), least, 1e-30)
    places = np.arange(-int(-low / step + 0.5), int(high / step + 0.5) + 1, dtype=np.float64)
    grid: NDArray[np.float64] = step * places
    return grid


def _updated(
    grid: NDArray[np.float64],
    masses: NDArray[np.float64],
    moments: NDArray[np.float64],
    counts: NDArray[np.int64],
    price: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move centroids to their means and drop those that are not used; zero stays."""
    is_zero = grid == 0
    moved = np.where(masses > 0, moments / np.maximum(masses, 1e-300), grid)
    moved[is_zero] = 0
    keep = (counts > 0) | is_zero
    moved, frequency = moved[keep], np.maximum(counts[keep], 0.5) / max(counts.sum(), 1)
    order = np.argsort(moved, kind="stable")
    return moved[order], -price * np.log2(frequency[order])


def _rounded(
    grid: NDArray[np.float64], costs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Round centroids to few significant bits; of those that become equal the cheapest stays."""
    fractions, exponents = np.frexp(grid)
    rounded = np.ldexp(
        np.round(np.ldexp(fractions, _FRACTION_BITS + 1)), exponents - _FRACTION_BITS - 1
    )
    rounded[grid == 0] = 0
    single, places = np.unique(rounded.astype(np.float32).astype(np.float64), return_inverse=True)
    cheapest = np.full(len(single), np.inf)
    np.minimum.at(cheapest, places, costs)
    return single, cheapest


@compiled()
def _assign(
    values: Values,
    importance: Values,
    grid: NDArray[np.float64],
    costs: NDArray[np.float64],
    codes: NDArray[np.int16],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Write the cheapest place in `grid` of each value, -1 for zero.

    Returns:
        For each place: the importance and the importance times value of what it got, and how many.
    """
    k = len(grid)
    masses, moments, counts = np.zeros(k), np.zeros(k), np.zeros(k, np.int64)
    zero: Number = np.searchsorted(grid, 0.0)
    for i in range(len(values)):
        value = np.float64(values[i])
        if value == 0:
            codes[i] = -1
            counts[zero] += 1
            continue
        weight = np.float64(importance[i if len(importance) > 1 else 0])
        best = _cheapest(value, weight, grid, costs, zero)
        codes[i] = -1 if best == zero else best
        masses[best] += weight
        moments[best] += weight * value
        counts[best] += 1
    return masses, moments, counts


@compiled()
def _compensate(
    values: Values,
    importance: Values,
    factor: Values,
    grid: NDArray[np.float64],
    costs: NDArray[np.float64],
    codes: Codes,
) -> None:
    """Write the codes of all rows; `values` are changed."""
    m, n = values.shape
    zero: Number = np.searchsorted(grid, 0.0)
    stays = values == 0
    for begin in range(0, m, TILE):
        for i in range(n):
            curvature = 1 / np.float64(factor[i, i]) ** 2
            for row in range(begin, min(begin + TILE, m)):
                value = np.float64(values[row, i])
                best = zero
                if not stays[row, i]:
                    weight = importance[row, i] if importance.size > 1 else importance[0, 0]
                    best = _cheapest(value, weight * curvature, grid, costs, zero)
                codes[row, i] = -1 if best == zero else best - (best > zero)
                error = np.float32((value - grid[best]) / factor[i, i])
                if error != 0:
                    take_out(values[row, i + 1 :], factor[i, i + 1 :], error)


@compiled()
def _cheapest(
    value: Number,
    weight: Number,
    grid: NDArray[np.float64],
    costs: NDArray[np.float64],
    zero: Number,
) -> Number:
    """Return the place in `grid` whose weighted squared error and bits cost least."""
    place: Number = np.searchsorted(grid, value)
    best, least = zero, weight * value * value + costs[zero]
    for j in range(max(place - _REACH, 0), min(place + _REACH, len(grid))):
        cost = weight * (value - grid[j]) ** 2 + costs[j]
        if cost < least:
            best, least = j, cost
    return best

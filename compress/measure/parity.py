"""How far one implementation's outputs are from another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TINY = 1e-30  # outputs that are all zero are compared with this


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference within one output."""

    max_abs: float  #: in the unit of the output
    max_rel: float  #: relative to the largest magnitude of what was expected


def difference(found: NDArray[Any], expected: NDArray[Any]) -> Difference:
    """Compare an output with what was expected.

    Floats differ by degrees. Else there is agreement or none: integers must be equal, shapes the
    same, NaN and infinities at the same places, and some values finite. Where they are not, the
    whole output counts as the difference, which is 1 relative to itself.

    >>> difference(np.array([1.0, 4.5]), np.array([1.0, 4.0]))
    Difference(max_abs=0.5, max_rel=0.125)
    >>> difference(np.array([7, 2]), np.array([7, 3]))
    Difference(max_abs=7.0, max_rel=1.0)
    """
    values = expected.astype(np.float64)
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max(initial=0))
    if not _agree(found, expected, finite):
        return Difference(largest, 1.0)
    if not np.issubdtype(expected.dtype, np.floating):
        return Difference(0.0, 0.0)
    apart = float(np.abs(found[finite].astype(np.float64) - values[finite]).max(initial=0))
    return Difference(apart, apart / max(largest, _TINY))


def _agree(found: NDArray[Any], expected: NDArray[Any], finite: NDArray[np.bool_]) -> bool:
    """Tell whether all is alike that is alike or not; floats that are finite are left."""
    if found.shape != expected.shape:
        return False
    if not np.issubdtype(expected.dtype, np.floating):
        return np.array_equal(found, expected)
    return (
        bool(finite.any() or not finite.size)
        and np.array_equal(np.isfinite(found), finite)
        and np.array_equal(found[~finite], expected[~finite], equal_nan=True)
    )

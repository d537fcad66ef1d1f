"""Biases before an activation that cuts: the mean behind it is what is kept.

With the mean before it alone, what errors do to a channel's spread would add up from layer to
layer, as in networks whose BatchNorms were folded and in those that never had any.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 10  # halvings of a shift's bounds
_PLACES = 4096  # of a channel that tell what an activation makes of a shift
_EXACT = 1e-6  # of a level

Array = NDArray[Any]
Bounds = tuple[float, float]  # that an activation cuts at
Level = NDArray[np.float64]  # of each channel; of a BatchNormalization (2, channels)


def places(n: int) -> int:
    """Return which of a channel's `n` places tell enough: every so many."""
    return max(n // _PLACES, 1)


def shift_behind(rows: Array, earlier: Level, missing: Level, bounds: Bounds) -> Level:
    """Return what is to be added to each channel for its earlier mean behind an activation.

    That mean moves by less than what is added, which is looked for within the channel's spread.

    Args:
        rows: some values of each channel before the activation, shape `(channels, n)`.
        earlier: the mean behind it that each is to have again, shape `(channels,)`.
        missing: to that mean, shape `(channels,)`.
        bounds: of the activation.
    """
    wanted = (rows.clip(*bounds).mean(1) + missing)[:, None]
    high = rows.std(1, keepdims=True)
    low = -high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        is_less = (rows + middle).clip(*bounds).mean(1, keepdims=True) < wanted
        low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
    found: Level = ((low + high) / 2)[:, 0].astype(np.float64)
    found[np.abs(missing) <= _EXACT * np.abs(earlier)] = 0  # where nothing passes, too
    return found

"""Discs that lie one over another, as dead leaves do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled

Floats = NDArray[np.float64]


@compiled()
def paint(image: Floats, middles: Floats, radii: Floats, colours: Floats) -> None:
    """Paint discs in their order, the last one on top.

    Args:
        image: shape `(channels, height, width)`; changed in place.
        middles: rows and columns, shape `(discs, 2)`; they may lie outside.
        radii: in pixels, shape `(discs,)`.
        colours: shape `(discs, channels)`.
    """
    channels, height, width = image.shape
    for disc in range(len(radii)):
        row, column, radius = middles[disc, 0], middles[disc, 1], radii[disc]
        left = min(max(int(np.ceil(column - radius)), 0), width)
        right = min(max(int(np.ceil(column + radius)), 0), width)
        for y in range(max(int(np.ceil(row - radius)), 0), min(int(np.ceil(row + radius)), height)):
            down = (y - row) * (y - row)
            for x in range(left, right):
                if down + (x - column) * (x - column) < radius * radius:
                    for channel in range(channels):
                        image[channel, y, x] = colours[disc, channel]

"""Stacks of optical flow: the input of a network that sees motion.

A flow field says for each pixel of a frame where it is in the next one. Several fields in a row are
stacked as channels, either all read at the same pixel, or each where the pixel has gone by then.

Source: Simonyan & Zisserman 2014, arXiv:1406.2199, sec. 3.1, eqs. 1 and 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Fields = NDArray[np.float32]


def stack_flow(fields: Fields) -> Fields:
    """Return the channels d_x, d_y of each field in turn, `(2 * L, height, width)`. Source: eq. 1.

    Args:
        fields: displacements (x, y) in pixels, one a pair of frames, `(L, 2, height, width)`.
    """
    length, _, height, width = fields.shape
    return fields.reshape(2 * length, height, width)


def stack_trajectories(fields: Fields) -> Fields:
    """Return displacements along the path of each pixel, `(2 * L, height, width)`. Source: eq. 2.

    A field is read at the pixel that is nearest to the path; a path that leaves the picture goes
    on along its border.

    Args:
        fields: displacements (x, y) in pixels, one a pair of frames, `(L, 2, height, width)`.

    >>> fields = np.zeros((2, 2, 1, 3), np.float32)
    >>> fields[0, 0] = 1  # first, all go one to the right
    >>> fields[1, 0] = [[10, 20, 30]]
    >>> stack_trajectories(fields)[2].tolist()
    [[20.0, 30.0, 30.0]]
    """
    height, width = fields.shape[2:]
    y, x = np.indices((height, width)).astype(np.float32)
    stacked = np.empty_like(fields)
    for taken, field in zip(stacked, fields, strict=True):
        row = np.clip(np.rint(y), 0, height - 1).astype(np.intp)
        column = np.clip(np.rint(x), 0, width - 1).astype(np.intp)
        taken[:] = field[:, row, column]
        x, y = x + taken[0], y + taken[1]
    return stack_flow(stacked)


def stack_both_ways(fields: Fields, back: Fields) -> Fields:
    """Return L/2 fields forward and L/2 backward, `(2 * L, height, width)`.

    Args:
        fields: from the middle frame on, `(L/2, 2, height, width)`.
        back: from the middle frame to those before, the nearest first, of the same shape.

    Source: sec. 3.1, "bi-directional optical flow".
    """
    return np.concatenate([stack_flow(fields), stack_flow(back)])


def subtract_mean(fields: Fields) -> Fields:
    """Return each field less its mean displacement: a rough account of the camera's motion."""
    steadied: Fields = fields - fields.mean((2, 3), keepdims=True)
    return steadied

"""Discs that lie one over another."""

from __future__ import annotations

import numpy as np
import pytest

from compress.kernels.leaves import paint


@pytest.mark.parametrize("shape", [(1, 9, 9), (3, 24, 31), (2, 1, 40)])
def test_the_last_disc_is_on_top(shape):
    channels, height, width = shape
    drawn = np.random.default_rng(0)
    radii = drawn.uniform(1, max(height, width), 30)
    middles = drawn.uniform(-radii[:, None], np.array([height, width]) + radii[:, None])
    colours = drawn.standard_normal((30, channels))
    image = np.zeros(shape)
    paint(image, middles, radii, colours)

    expected = np.zeros(shape)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    for (row, column), radius, colour in zip(middles, radii, colours, strict=True):
        is_inside = np.square(rows - row) + np.square(columns - column) < radius**2
        expected[:, is_inside] = colour[:, None]
    np.testing.assert_array_equal(image, expected)


def test_discs_outside_change_nothing():
    image = np.zeros((1, 4, 4))
    middles = np.array([[-9.0, 2], [2, 1e9], [2, -1e9], [40, 40]])
    paint(image, middles, np.full(4, 3.0), np.ones((4, 1)))
    assert not image.any()

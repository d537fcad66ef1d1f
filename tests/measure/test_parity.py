"""What counts as a difference between two implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compress.measure.parity import Difference, difference

NAN, INF = math.nan, math.inf


def test_floats_differ_by_degrees():
    found = difference(np.array([[1, -2.5], [0, 4]], np.float32), np.array([[1.0, -2], [0, 4]]))
    assert found == Difference(max_abs=0.5, max_rel=0.125)
    assert difference(np.zeros(3), np.zeros(3)) == Difference(0, 0)
    assert difference(np.zeros((0, 4)), np.zeros((0, 4))) == Difference(0, 0)


def test_what_is_not_finite_at_the_same_places_is_left_out():
    expected = np.array([NAN, INF, -INF, 2], np.float32)
    assert difference(expected.copy(), expected) == Difference(0, 0)
    found = np.array([NAN, INF, -INF, 3], np.float32)
    assert difference(found, expected) == Difference(1, 0.5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([1.0, NAN], [1.0, 2.0]),
        ([1.0, 2.0], [NAN, 2.0]),
        ([INF, 2.0], [-INF, 2.0]),
        ([NAN, 2.0], [INF, 2.0]),
        ([1.0, 2.0, 2.0], [1.0, 2.0]),
        ([[1.0, 2.0]], [1.0, 2.0]),
        ([1, 3], [1, 2]),
        ([1, 2 + (1 << 60)], [1, 2]),
    ],
)
def test_what_does_not_agree_differs_by_the_whole_output(found: object, expected: object):
    assert difference(np.array(found), np.array(expected)) == Difference(2, 1)


def test_integers_and_truths_must_be_equal():
    codes = np.array([1 << 60, (1 << 60) + 1])
    assert difference(codes.copy(), codes) == Difference(0, 0)
    assert difference(codes[::-1], codes).max_rel == 1
    truths = np.array([True, False])
    assert difference(truths.copy(), truths) == Difference(0, 0)
    assert difference(~truths, truths) == Difference(1, 1)


def test_nothing_finite_is_no_agreement():
    nothing = np.full(4, NAN, np.float32)
    assert difference(nothing.copy(), nothing) == Difference(0, 1)

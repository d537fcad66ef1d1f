"""Ranks, pooling and cosines, against what is worked out by hand or written plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.tasks.similarity import cosines, pool, ranks, spearman, vectors


def plain_ranks(values: list[float]) -> list[float]:
    """Count for each value those below it, and half of the others that equal it."""
    return [
        1 + sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


@given(st.lists(st.integers(-3, 3), min_size=1))
def test_ranks_with_ties(values: list[float]) -> None:
    assert ranks(np.array(values)).tolist() == plain_ranks(values)


def test_spearman_of_a_textbook() -> None:
    # 1 - 6 * sum of squared differences / (n * (n^2 - 1)), which holds where nothing is tied
    iq = np.array([106, 100, 86, 101, 99, 103, 97, 113, 112, 110])
    hours = np.array([7, 27, 2, 50, 28, 29, 20, 12, 6, 17])
    assert spearman(iq, hours) == pytest.approx(1 - 6 * 194 / (10 * 99))
    assert spearman(iq, iq**3) == pytest.approx(1)
    assert spearman(iq, -iq) == pytest.approx(-1)


def test_spearman_needs_an_order() -> None:
    with pytest.raises(DataError, match="values that differ"):
        spearman(np.ones(4), np.arange(4))


def test_pooling_leaves_padding_out() -> None:
    states = np.array([[[1, 2], [3, 4], [np.nan, np.inf]], [[5, 6], [7, 8], [9, 10]]], np.float32)
    mask = np.array([[1, 1, 0], [0, 0, 0]])
    assert pool(states, mask).tolist() == [[2, 3], [0, 0]]


def test_vectors_as_they_are() -> None:
    mask = np.array([[1, 1], [1, 0]])
    whole = np.array([[1, 2, 3], [4, 5, 6]], np.float16)
    assert vectors(whole, mask).tolist() == whole.tolist()
    states = np.array([[[1.0], [3.0]], [[5.0], [9.0]]])
    assert vectors(states, mask).tolist() == [[2], [5]]
    for shape in ((2,), (3, 2), (2, 3, 1), (2, 2, 1, 1)):
        with pytest.raises(DataError, match="must hold a vector a token or a sentence"):
            vectors(np.zeros(shape), mask)


def test_cosines() -> None:
    first = np.array([[1.0, 0], [1, 0], [1, 1], [0, 0]])
    second = np.array([[2.0, 0], [0, 3], [-1, -1], [1, 1]])
    np.testing.assert_allclose(cosines(first, second), [1, 0, -1, 0])

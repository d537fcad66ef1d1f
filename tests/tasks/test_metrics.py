"""Figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import DataError
from compress.tasks import metrics

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("row", "figure"),
    [
        ([0.0, 2.0, 1.0], 1), ([3.0, 2.0, 1.0], 0), ([NAN, 1.0, 0.0], NAN), ([INF, 1.0, 0.0], NAN),
        ([-INF, 1.0, 0.0], 1), ([-INF, -INF, -INF], NAN), ([1.0, 1.0, 1.0], 0),
    ],
)  # fmt: skip
def test_the_largest_score_is_the_class(row: list[float], figure: float) -> None:
    for scores in (np.array([row]), np.array([row], np.float16).reshape(1, 3, 1, 1)):
        found = metrics.right(scores, np.array([1]))
        assert np.array_equal(found, [figure], equal_nan=True)
        assert np.array_equal(metrics.right((scores, None), np.array([1])), found, equal_nan=True)
    assert metrics.right({"logits": np.array([[1, 9]], np.uint8)}, np.array([1])).tolist() == [1]


def test_several_labels_a_sample() -> None:
    scores = np.zeros((2, 3, 4))
    scores[:, 1] = 1
    labels = np.array([[1, 1, 1, 0], [2, 2, 1, 0]])
    assert metrics.right(scores, labels).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("shape", [(2,), (3, 4), ()])
def test_outputs_that_are_no_scores(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="accuracy needs a score for each class, got an output of"):
        metrics.right(np.zeros(shape), np.zeros(2, np.int64))


def test_errors_of_numbers() -> None:
    outputs, targets = np.array([[1.0, 2.0], [0.0, NAN], [INF, 0.0]]), np.zeros((3, 2))
    assert np.array_equal(
        metrics.absolute_errors(outputs, targets), [1.5, NAN, NAN], equal_nan=True
    )
    assert np.array_equal(metrics.squared_errors(outputs, targets), [2.5, NAN, NAN], equal_nan=True)
    assert metrics.absolute_errors(np.array([[3.0]], np.float32), np.array([1.0])).tolist() == [2]
    for shape in ((3, 3), (2, 3), (6,)):  # an axis that numpy would add by itself
        with pytest.raises(DataError, match=r"must have the shape of its targets, \(3, 2\), got"):
            metrics.absolute_errors(np.zeros(shape), targets)


def test_pairs() -> None:
    vectors = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1], [1, INF], [1, 0]])
    figures = metrics.alike(vectors, (np.array([5.0, 0, 2]), np.ones((6, 1))))
    assert np.array_equal(figures, [[1, 5], [0, 0], [NAN, 2]], equal_nan=True)
    assert metrics.SPEARMAN.whole(figures[:2]) == 1

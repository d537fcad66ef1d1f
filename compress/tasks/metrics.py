"""The metrics of this package's own tasks, in numpy; one of a user's own is a function as here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.tasks import similarity
from compress.tasks.metric import Figures, Metric
from compress.tasks.outputs import first_of


def right(outputs: Any, targets: NDArray[Any]) -> Figures:  # noqa: ANN401  (the network's own)
    """Return for each sample 1 where the largest score is its class's, else 0, shape `(n,)`.

    A score that is NaN, or a largest one that is infinite, is an overflow. Minus infinity is the
    logarithm of a probability of 0, and in order. Where a sample has several labels, the figure
    is the part that is right.

    Args:
        outputs: scores, `(n, classes, ...)`.
        targets: the labels, `(n, ...)`.
    """
    scores = np.asarray(first_of(outputs))
    if targets.ndim == 1 and scores.ndim > 1:
        scores = scores.reshape(len(scores), -1)
    if (scores.shape[:1] + scores.shape[2:]) != targets.shape or scores.ndim < 2:
        raise DataError(
            "accuracy needs a score for each class, "
            f"got an output of shape {scores.shape} for labels of shape {targets.shape}"
        )
    told = np.isfinite(scores.max(1))
    figures = np.where(told, scores.argmax(1) == targets, np.nan).reshape(len(targets), -1)
    found: Figures = figures.mean(1, dtype=np.float64)
    return found


def absolute_errors(outputs: Any, targets: NDArray[Any]) -> Figures:  # noqa: ANN401
    """Return each sample's mean absolute error, shape `(n,)`."""
    return _errors(outputs, targets, np.abs)


def squared_errors(outputs: Any, targets: NDArray[Any]) -> Figures:  # noqa: ANN401
    """Return each sample's mean squared error, shape `(n,)`."""
    return _errors(outputs, targets, np.square)


def alike(outputs: Any, targets: tuple[NDArray[Any], NDArray[Any]]) -> Figures:  # noqa: ANN401
    """Return each pair's cosine and the score that people gave it, shape `(n, 2)`.

    Args:
        outputs: of two sentences a pair, one behind the other; see `similarity.vectors`.
        targets: scores `(n,)`, and the mask of the sentences `(2n, tokens)`.
    """
    scores, mask = targets
    found = similarity.vectors(np.asarray(first_of(outputs)), mask)
    found[~np.isfinite(found).all(1)] = np.nan
    return np.stack([similarity.cosines(found[::2], found[1::2]), scores], 1)


def _correlation(figures: Figures) -> float:
    return similarity.spearman(figures[:, 0], figures[:, 1])


def _errors(outputs: Any, targets: NDArray[Any], measure: Any) -> Figures:  # noqa: ANN401
    found = np.asarray(first_of(outputs), np.float64)
    if found.size != targets.size or len(found) != len(targets):
        raise DataError(
            f"an output must have the shape of its targets, {targets.shape}, got {found.shape}"
        )
    errors = measure(found.reshape(targets.shape) - targets).reshape(len(targets), -1).mean(1)
    return np.where(np.isfinite(errors), errors, np.nan)


ACCURACY = Metric(name="accuracy", each=right)
SPEARMAN = Metric(name="spearman", each=alike, whole=_correlation)
MEAN_ABSOLUTE_ERROR = Metric(
    name="mean absolute error", each=absolute_errors, higher_is_better=False, is_fraction=False
)
MEAN_SQUARED_ERROR = Metric(
    name="mean squared error", each=squared_errors, higher_is_better=False, is_fraction=False
)

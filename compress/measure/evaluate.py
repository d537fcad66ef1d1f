"""A task's metric of whatever maps inputs to outputs: torch's networks and sessions alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.tasks import Metric, Samples
from compress.tasks.metric import Figures
from compress.tasks.outputs import all_of

Forward = Callable[[Any], Any]  # inputs to outputs: an array, or a tuple of arrays
Progress = Callable[[int, int], None]
Order = NDArray[np.int64]

_MAX_BATCH = 256
_PROBED = 4  # samples that tell how large inputs are
_TOKEN_VALUES = 512  # a token becomes a vector of about so many numbers


def evaluate(
    forward: Forward,
    samples: Samples,
    metric: Metric,
    *,
    batch: int,
    progress: Progress | None = None,
) -> float:
    """Return the metric of all samples.

    Args:
        forward: is given the inputs of a batch as the samples give them.
        samples: at least one.
        metric: of the task.
        batch: samples at a time.
        progress: called with the samples done and the samples in all.

    Raises:
        DataError: when the outputs of a sample are not finite, or do not fit the targets.
    """
    order = chunks(len(samples), batch)
    made = map(samples.batch, order)
    return whole(metric, figures(forward, made, metric, [len(o) for o in order], progress))


def figures(
    forward: Forward,
    batches: Iterable[tuple[Any, Any]],
    metric: Metric,
    counts: Sequence[int],
    progress: Progress | None = None,
) -> Figures:
    """Return the metric's figures of samples, a row each.

    Args:
        forward: is given the inputs of a batch.
        batches: inputs as `forward` takes them, and targets as arrays.
        metric: of the task.
        counts: samples of each batch.
        progress: called with the samples done and the samples in all.
    """
    found, done = [], 0
    for count, (inputs, targets) in zip(counts, batches, strict=True):
        figure = np.asarray(metric.each(forward(inputs), targets), np.float64)
        if figure.ndim not in (1, 2) or len(figure) != count:
            raise DataError(
                f"metric {metric.name} must give a figure for each of {count} samples, "
                f"got an array of shape {figure.shape}"
            )
        found.append(figure)
        done += count
        if progress is not None:
            progress(done, sum(counts))
    if not found:
        raise DataError("samples must be at least one, got 0: the part of the data is empty")
    return np.concatenate(found)


def whole(metric: Metric, found: Figures) -> float:
    """Return the metric of some figures; raise `DataError` where one is not known."""
    unknown = int(np.isnan(found.reshape(len(found), -1)).any(1).sum())
    if unknown:
        raise DataError(
            f"the network's outputs are not finite for {unknown} of {len(found)} samples, so it "
            f"has no {metric.name}: look for NaN or an overflow in its weights or their type, and "
            "where it was trained, train with a lower lr"
        )
    value = float(metric.whole(found))
    if not isfinite(value):
        raise DataError(f"metric {metric.name} must be a finite number, got {value}")
    return value


def chunks(count: int, batch: int) -> list[Order]:
    """Return the numbers below `count` in order, in arrays of at most `batch`."""
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]


def batch_of(samples: Samples, values: int) -> int:
    """Return how many samples go at a time, so that about so many numbers are a batch's inputs."""
    probed = min(_PROBED, len(samples))
    if not probed:
        raise DataError("samples must be at least one, got 0: the part of the data is empty")
    inputs, _ = samples.batch(np.arange(probed))
    taken = sum(map(_values, all_of(inputs))) // probed
    return max(1, min(_MAX_BATCH, values // max(taken, 1)))


def _values(array: NDArray[Any]) -> int:
    return array.size * (1 if array.dtype.kind == "f" else _TOKEN_VALUES)

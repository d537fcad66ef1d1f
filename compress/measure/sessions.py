"""A task's metric of a session; it needs no torch.

Where the task has classes, what the network says is read as `answers` does, and its classes are
known by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.answers import Network, fixed_batch, read, run
from compress.measure.classes import class_numbers
from compress.measure.evaluate import Progress, batch_of, chunks, figures, whole
from compress.tasks import Samples, Task
from compress.tasks.metric import Figures

_BATCH_VALUES = 2 << 20  # 13 images of 224x224: activations take many times the input's memory


def evaluate_session(
    network: Network,
    task: Task,
    samples: Samples,
    *,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> float:
    """Return the task's metric of a network on samples; arguments as of `figures_of_session`.

    Raises:
        DataError: when the network does not fit the task, or the outputs of a sample are not
            finite.
    """
    found = figures_of_session(network, task, samples, labels=labels, progress=progress)
    return whole(task.metric, found)


def figures_of_session(
    network: Network,
    task: Task,
    samples: Samples,
    *,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Figures:
    """Return the figures of the task's metric of samples, a row each.

    Args:
        network: takes what the samples give, in their order.
        task: that the samples are of.
        samples: at least one.
        labels: names of the network's classes, by number; by default those of the task.
        progress: called with the samples done and the samples in all.

    Raises:
        DataError: when the network does not fit the task.
    """
    names = [value.name for value in network.outputs]

    def each(outputs: Mapping[str, Any], targets: Any) -> Figures:  # noqa: ANN401 (the task's own)
        if task.classes and isinstance(targets, np.ndarray) and targets.ndim == 1:
            known = task.classes if labels is None else labels
            scores = _scores(outputs, targets, known)
            numbers = _numbers(task.classes, known, targets)
            _require_fit(scores, numbers, known)
            return task.metric.each(scores, numbers)
        held = tuple(outputs[name] for name in names)
        return task.metric.each(held[0] if len(held) == 1 else held, targets)

    order = chunks(len(samples), fixed_batch(network) or batch_of(samples, _BATCH_VALUES))
    return figures(
        partial(run, network),
        map(samples.batch, order),
        replace(task.metric, each=each),
        [len(own) for own in order],
        progress,
    )


def _scores(
    outputs: Mapping[str, Any], targets: NDArray[np.int64], known: Sequence[str]
) -> NDArray[Any]:
    """Return scores of the network's classes; 1 and 0 where it tells classes alone."""
    said = read(outputs, len(targets))
    scores = said.scores
    if said.labels is None and scores is not None and said.names == tuple(range(scores.shape[1])):
        return scores
    scores = np.zeros((len(targets), len(known)))
    scores[np.arange(len(targets)), said.numbers(known)] = 1
    scores[~said.told] = np.nan
    return scores


def _numbers(
    ours: Sequence[str], theirs: Sequence[str], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the network's number of each sample's class."""
    if labels.min() < 0 or labels.max() >= len(ours):
        raise DataError(f"labels must be in [0, {len(ours)}), got {labels.min()} to {labels.max()}")
    found: NDArray[np.int64] = class_numbers(ours, theirs, set(labels.tolist()))[labels]
    return found


def _require_fit(scores: NDArray[Any], numbers: NDArray[np.int64], known: Sequence[str]) -> None:
    if scores.shape[1] != len(known):
        raise DataError(
            f"the network must give a score for each of {len(known)} classes, "
            f"got an output of shape {scores.shape}"
        )
    assert numbers.max() < scores.shape[1]  # numbers of classes that it has

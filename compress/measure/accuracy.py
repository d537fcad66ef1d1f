"""Accuracy of a session on labelled samples; it needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.answers import Network, ask, fixed_batch
from compress.preprocess import Preprocessing
from compress.training.task import Samples

_BATCH_VALUES = 2 << 20  # 14 images of 224x224: activations take many times the input's memory
_MAX_BATCH = 256


def top1(
    network: Network,
    samples: Samples,
    preprocessing: Preprocessing,
    *,
    classes: Sequence[str] | None = None,
    labels: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Return how many samples the network puts into their class.

    Args:
        network: one input of images; its outputs tell classes, see `measure.answers`.
        samples: at least one.
        preprocessing: what the network expects.
        classes: names of the network's classes, by number; None where numbers are enough.
        labels: the network's number of each sample's class; by default the sample's own.
        progress: called with the samples done and the samples in all.

    Raises:
        DataError: when the network tells no classes, the labels are none of them, or the outputs
            of a sample are not finite: such a network has no accuracy.
    """
    batch = fixed_batch(network) or _batch(preprocessing)
    labels = samples.labels if labels is None else labels
    right = unknown = 0
    for begin in range(0, len(samples), batch):
        chosen = np.arange(begin, min(begin + batch, len(samples)))
        said = ask(network, preprocessing(samples.images(chosen)))
        if said.labels is None and said.scores is not None and said.names is not None:
            _require_fit(said.scores.shape, labels[chosen], classes)
        right += int((said.told & (said.numbers(classes or ()) == labels[chosen])).sum())
        unknown += int((~said.told).sum())
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(samples))
    if unknown:
        raise DataError(
            f"the network's outputs are not finite for {unknown} of {len(samples)} images, "
            "so it has no accuracy: look for NaN or an overflow in its weights or their type"
        )
    return right


def _require_fit(
    scores: tuple[int, ...], labels: NDArray[np.int64], classes: Sequence[str] | None
) -> None:
    if classes is not None and scores[1] != len(classes):
        raise DataError(
            f"the network must give a score for each of {len(classes)} classes, "
            f"got an output of shape {scores}"
        )
    if labels.max() >= scores[1]:
        raise DataError(f"labels up to {labels.max()} do not fit the network's output {scores}")


def _batch(preprocessing: Preprocessing) -> int:
    height, width = preprocessing.crop
    return max(1, min(_MAX_BATCH, _BATCH_VALUES // (3 * height * width)))

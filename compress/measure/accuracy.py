"""Accuracy of a session on labelled samples; it needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.training.task import Samples

_BATCH_VALUES = 2 << 20  # 14 images of 224x224: activations take many times the input's memory
_MAX_BATCH = 256


class Network(Protocol):
    """Something that maps named inputs to named outputs."""

    @property
    def inputs(self) -> Sequence[Any]:
        """The inputs, each with a name and a shape."""

    @property
    def outputs(self) -> Sequence[Any]:
        """The outputs, each with a name."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name."""


def top1(
    network: Network,
    samples: Samples,
    preprocessing: Preprocessing,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Return how many samples have their largest output at their class.

    Args:
        network: one input of images, one output of a score a class.
        samples: at least one.
        preprocessing: what the network expects.
        progress: called with the samples done and the samples in all.

    Raises:
        DataError: when the labels are not classes of the network.
    """
    name, fixed = network.inputs[0].name, _fixed_batch(network)
    batch = fixed or _batch(preprocessing)
    right = 0
    for begin in range(0, len(samples), batch):
        chosen = np.arange(begin, min(begin + batch, len(samples)))
        images = preprocessing(samples.images(chosen))
        padded = np.resize(images, (fixed, *images.shape[1:])) if fixed else images
        first = network.run({name: padded})[network.outputs[0].name]
        labels = samples.labels[chosen]
        if first.ndim != 2 or labels.max() >= first.shape[1]:
            raise DataError(
                f"labels up to {labels.max()} do not fit the network's output {first.shape}"
            )
        right += int((first[: len(chosen)].argmax(1) == labels).sum())
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(samples))
    return right


def _fixed_batch(network: Network) -> int | None:
    """Return the one size of a batch that the network takes, or None where it takes any."""
    first = network.inputs[0].shape[0]
    return first if isinstance(first, int) else None


def _batch(preprocessing: Preprocessing) -> int:
    height, width = preprocessing.crop
    return max(1, min(_MAX_BATCH, _BATCH_VALUES // (3 * height * width)))

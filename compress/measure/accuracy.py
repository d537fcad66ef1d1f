"""Accuracy of a session on labelled samples; it needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.errors import DataError
from compress.preprocess import Preprocessing

_BATCH_VALUES = 2 << 20  # 14 images of 224x224: activations take many times the input's memory
_MAX_BATCH = 256


class Samples(Protocol):
    """Labelled images; raw, before preprocessing."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, shape `(n,)`."""

    def __len__(self) -> int:
        """Return the number of images."""

    def images(self, indices: NDArray[np.int64]) -> Sequence[NDArray[np.uint8] | Image.Image]:
        """Return some images."""


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
    name, batch = network.inputs[0].name, _batch(network, preprocessing)
    right = 0
    for begin in range(0, len(samples), batch):
        chosen = np.arange(begin, min(begin + batch, len(samples)))
        scores = network.run({name: preprocessing(samples.images(chosen))})
        first = scores[network.outputs[0].name]
        labels = samples.labels[chosen]
        if first.ndim != 2 or labels.max() >= first.shape[1]:
            raise DataError(
                f"labels up to {labels.max()} do not fit the network's output {first.shape}"
            )
        right += int((first.argmax(1) == labels).sum())
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(samples))
    return right


def _batch(network: Network, preprocessing: Preprocessing) -> int:
    fixed = network.inputs[0].shape[0]
    if isinstance(fixed, int):
        return fixed
    height, width = preprocessing.crop
    return max(1, min(_MAX_BATCH, _BATCH_VALUES // (3 * height * width)))

"""What a task is, and samples that are held in memory. It needs numpy and Pillow, no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress_zoo.errors import ZooError

Pixels = NDArray[np.uint8]
Indices = Sequence[int] | NDArray[np.int64]
Part = Literal["train", "validation", "test"]
Recipe = Mapping[str, int | float | str]  # settings of one training, by name


class Samples(Protocol):
    """Labelled images; raw, before preprocessing."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, shape `(n,)`."""

    def __len__(self) -> int:
        """Return the number of images."""

    def digest(self, indices: Indices | None = None) -> str:
        """Digest the content of images and their classes, in their order; by default of all."""

    def images(self, indices: Indices) -> Sequence[Pixels | Image.Image]:
        """Return some images: arrays `(height, width)` or `(height, width, 3)`, or Pillow's."""


class Task(Protocol):
    """A named set of labelled data, and what a training on it should know."""

    @property
    def name(self) -> str:
        """The task's name."""

    @property
    def metric(self) -> Literal["accuracy"]:
        """What is measured on it."""

    @property
    def augmentation(self) -> Mapping[str, float]:
        """Largest random changes of a training image at strength 1."""

    def training(self, stage: Literal["baseline", "fine_tune", "centroids"], model: str) -> Recipe:
        """Return the settings that were tuned on the validation part."""

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the names of the classes, in the order of the labels."""

    def preprocessing(self, input_shape: tuple[int, int, int]) -> dict[str, object]:
        """Return how an image becomes an input of this shape, as JSON's types."""

    def load(self, part: Part, root: Path) -> Samples | None:
        """Return a part of the data, or None where the task has no such part."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Samples in memory."""

    pixels: Pixels  #: shape `(n, height, width)`
    labels: NDArray[np.int64]  #: shape `(n,)`

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def digest(self, indices: Indices | None = None) -> str:
        """Digest pixels and labels, by default of all."""
        chosen = slice(None) if indices is None else np.asarray(indices, np.int64)
        digest = hashlib.sha256()
        for array in (self.pixels[chosen], self.labels[chosen]):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def images(self, indices: Indices) -> list[Pixels | Image.Image]:
        """Return some images, each of shape `(height, width)`."""
        return list(self.pixels[np.asarray(indices, np.int64)])

    def take(self, chosen: NDArray[np.bool_]) -> Arrays:
        """Return the samples that a mask of shape `(n,)` chooses."""
        return Arrays(self.pixels[chosen], self.labels[chosen])


def image_input(task: str, input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width; raise `ZooError` for what is no image."""
    match input_shape:
        case (1 | 3 as channels, height, width):
            return channels, height, width
        case _:
            raise ZooError(
                f"task {task} needs a network on grey or RGB images, got input shape {input_shape}"
            )

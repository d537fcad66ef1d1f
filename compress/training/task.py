"""What training and measuring need to know of a task. It imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Indices = Sequence[int] | NDArray[np.int64]


class Samples(Protocol):
    """Labelled images; raw, before preprocessing."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, shape `(n,)`."""

    def __len__(self) -> int:
        """Return the number of images."""

    def digest(self, indices: Indices | None = None) -> str:
        """Digest the content of images and their classes, in their order; by default of all."""

    def images(self, indices: Indices) -> Sequence[NDArray[np.uint8] | Image.Image]:
        """Return some images: arrays `(height, width)` or `(height, width, 3)`, or Pillow's."""


class Task(Protocol):
    """A named set of labelled data in three parts."""

    @property
    def name(self) -> str:
        """The task's name."""

    @property
    def metric(self) -> Literal["accuracy"]:
        """What is measured on it."""

    @property
    def augmentation(self) -> Mapping[str, float]:
        """Largest random changes of a training image at strength 1; see `training.augment`."""

    def training(
        self, stage: Literal["baseline", "fine_tune", "centroids"], model: str
    ) -> Mapping[str, int | float | str]:
        """Return fields of `TrainSettings` that were tuned on the validation part."""

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the names of the classes, in the order of the labels."""

    def preprocessing(self, input_shape: tuple[int, int, int]) -> dict[str, object]:
        """Return `Preprocessing` for inputs of this shape, as JSON's types."""

    def load(self, part: Literal["train", "validation", "test"], root: Path) -> Samples | None:
        """Return a part of the data, or None where the task has no such part."""

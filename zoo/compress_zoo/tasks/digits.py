"""The 1,797 handwritten digits of 8x8 pixels that scikit-learn carries: always there.

Too small to say much about accuracy, and large enough to see a whole run work in seconds.

Source: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits, its test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compress_zoo.errors import not_installed
from compress_zoo.tasks.task import Arrays, Part, Recipe, image_input

_AUGMENTATION = MappingProxyType({"rotate_degrees": 10.0, "shift": 0.06, "scale": 0.1})
_TRAINING: Mapping[str, Recipe] = MappingProxyType(
    {
        "baseline": {
            "epochs": 30,
            "batch": 64,
            "optimizer": "sgd",
            "lr": 0.05,
            "weight_decay": 5e-4,
            "warmup_epochs": 1,
            "augment": 1,
        },
        "fine_tune": {
            "epochs": 15,
            "batch": 64,
            "optimizer": "sgd",
            "lr": 0.03,
            "weight_decay": 1e-4,
            "augment": 1,
        },
        "centroids": {
            "epochs": 8,
            "batch": 64,
            "optimizer": "adam",
            "lr": 3e-4,
            "weight_decay": 0.0,
            "augment": 1,
        },
    }
)


@dataclass(frozen=True, slots=True)
class Digits:
    """Ten classes; 1,200 images to train on, 240 to validate and 357 to test."""

    name: str = "digits"
    metric: Literal["accuracy"] = "accuracy"

    @property
    def augmentation(self) -> Mapping[str, float]:
        """Return the largest random changes of a training image at strength 1."""
        return _AUGMENTATION

    def training(self, stage: Literal["baseline", "fine_tune", "centroids"], model: str) -> Recipe:
        """Return the settings that were tuned on the validation part; alike for all models."""
        return _TRAINING[stage]

    def classes(self, root: Path) -> tuple[str, ...]:
        """Return the ten digits."""
        return tuple("0123456789")

    def preprocessing(self, input_shape: tuple[int, int, int]) -> dict[str, object]:
        """Scale the 8x8 pixels up to the input; black stays 0."""
        channels, height, width = image_input(self.name, input_shape)
        return {
            "mode": "L" if channels == 1 else "RGB",
            "crop": [height, width],
            "resize": [height, width],
        }

    def load(self, part: Part, root: Path) -> Arrays | None:
        """Return a part of the scans; `root` is not looked at."""
        try:
            from sklearn.datasets import load_digits
        except ModuleNotFoundError as error:
            raise not_installed("scikit-learn", "torch") from error
        data = load_digits()
        labels = data.target.astype(np.int64)
        pixels = np.round(data.images * (255 / 16)).astype(np.uint8)  # stored as 0 to 16
        return Arrays(pixels, labels).take(_part_of(labels) == part)


def _part_of(labels: NDArray[np.int64]) -> NDArray[np.str_]:
    """Name each sample's part: by class, of 15 in a row 10 train, 2 validate and 3 test."""
    turns = np.repeat(["train", "validation", "test"], [10, 2, 3])
    parts = np.empty(len(labels), turns.dtype)
    parts[np.argsort(labels, kind="stable")] = turns[np.arange(len(labels)) % 15]
    return parts

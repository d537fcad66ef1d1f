"""The 1,797 handwritten digits of 8x8 pixels that scikit-learn carries: always there.

Too small to say much about accuracy, and large enough to see a whole run work in seconds.

Source: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits, its test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.preprocess import Preprocessing
from compress.tasks import Part
from compress.tasks.images import ImageTask
from compress.tasks.pictures import Arrays
from compress_zoo.errors import not_installed
from compress_zoo.tasks.recipes import Recipe, of_stage, scaled

_TRAINING: Mapping[str, Recipe] = MappingProxyType(
    {
        "dense": {
            "epochs": 30,
            "batch": 64,
            "optimizer": "sgd",
            "lr": 0.05,
            "weight_decay": 5e-4,
            "warmup_epochs": 1,
            "augment": 1,
        },
        "prune": {
            "epochs": 15,
            "batch": 64,
            "optimizer": "sgd",
            "lr": 0.03,
            "weight_decay": 1e-4,
            "augment": 1,
        },
        "quantize": {
            "epochs": 8,
            "batch": 64,
            "optimizer": "adam",
            "lr": 3e-4,
            "weight_decay": 0.0,
            "augment": 1,
        },
    }
)


@dataclass(frozen=True, kw_only=True)
class Digits(ImageTask):
    """Ten classes; 1,200 images to train on, 240 to validate and 357 to test."""

    root: Path = Path()  #: of the data sets; it is not looked at

    name = "digits"
    classes = tuple("0123456789")
    changes = MappingProxyType({"rotate_degrees": 10.0, "shift": 0.06, "scale": 0.1})

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return the settings that were tuned on the validation part; alike for all models."""
        return of_stage(_TRAINING, stage)

    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Scale the 8x8 pixels up to the input; black stays 0."""
        return scaled(shape)

    def pictures(self, part: Part) -> Arrays:
        """Return a part of the scans."""
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

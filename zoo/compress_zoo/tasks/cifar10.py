"""CIFAR-10: small colour images of ten classes, as torchvision downloads them or as a folder.

`ROOT/cifar-10-batches-py` is what torchvision brings, and `ROOT/cifar10-images` holds the same
pictures as files: `{train,test}/CLASS/NAME`. The first that is there is taken; else torchvision
downloads its own. Every tenth image of each class of the training part validates.

Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from compress.preprocess import Preprocessing
from compress.tasks import Part, folders
from compress.tasks.images import ImageTask
from compress.tasks.pictures import Arrays, Files
from compress_zoo.errors import ZooError, first_line
from compress_zoo.tasks.recipes import Recipe, of_stage, tenth

_BATCHES, _FOLDER = "cifar-10-batches-py", "cifar10-images"
_MEAN, _STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training part
_TRAINING: Mapping[str, Recipe] = MappingProxyType(
    {
        "dense": {
            "epochs": 60,
            "batch": 128,
            "optimizer": "sgd",
            "lr": 0.05,
            "weight_decay": 5e-4,
            "warmup_epochs": 1,
            "augment": 1,
        },
        "prune": {
            "epochs": 15,
            "batch": 128,
            "optimizer": "sgd",
            "lr": 0.02,
            "weight_decay": 5e-4,
            "augment": 1,
        },
        "quantize": {
            "epochs": 3,
            "batch": 128,
            "optimizer": "adam",
            "lr": 1e-4,
            "weight_decay": 0.0,
            "augment": 1,
        },
    }
)


@dataclass(frozen=True, kw_only=True)
class Cifar10(ImageTask):
    """Ten classes of 32x32 images: 45,000 to train on, 5,000 to validate, 10,000 to test."""

    root: Path  #: of the data sets

    name = "cifar10"
    classes = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    changes = MappingProxyType({"shift": 0.125, "flip": 0.5})  # four pixels, as is usual

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return settings that suit small convolutional networks; alike for all models."""
        return of_stage(_TRAINING, stage)

    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Scale an image to the input, each channel to mean 0 and variance 1."""
        channels, height, width = shape
        return Preprocessing(
            mode="L" if channels == 1 else "RGB",
            crop=(height, width),
            resize=(height, width),
            mean=(sum(_MEAN) / 3,) if channels == 1 else _MEAN,
            std=(sum(_STD) / 3,) if channels == 1 else _STD,
        )

    def pictures(self, part: Part) -> Arrays | Files:
        """Return a part.

        Raises:
            ZooError: when the images are missing and cannot be downloaded, or are not CIFAR-10's.
        """
        whole = self._whole(train=part != "test")
        if part == "test":
            return whole
        validates = tenth(whole.labels)
        return whole.take(validates if part == "validation" else ~validates)

    def _whole(self, *, train: bool) -> Arrays | Files:
        folder = self.root / _FOLDER
        if not (self.root / _BATCHES).is_dir() and folder.is_dir():
            return self._files(folder / ("train" if train else "test"))
        return self._arrays(train=train)

    def _files(self, folder: Path) -> Files:
        found = folders.class_folders(folder)
        if tuple(found) != self.classes:
            raise ZooError(
                f"cifar10: {folder} must hold a folder of images for each of "
                f"{', '.join(self.classes)}, got {', '.join(found) or 'none'}"
            )
        items = [
            (path, label)
            for label, places in enumerate(found.values())
            for place in places
            for path in folders.pictures(place)[0]
        ]
        return Files(tuple(path for path, _ in items), np.array([i for _, i in items], np.int64))

    def _arrays(self, *, train: bool) -> Arrays:
        is_there = (self.root / _BATCHES).is_dir()
        try:
            from torchvision.datasets import CIFAR10

            with contextlib.redirect_stdout(sys.stderr):
                data = CIFAR10(str(self.root), train=train, download=not is_there)
        except ModuleNotFoundError as error:
            raise self._absent(
                "torchvision, which reads and brings it, is not installed"
            ) from error
        except Exception as error:  # no mirror, a damaged file, or whatever is in its place
            reason = "is not as it was published" if is_there else "cannot be downloaded"
            raise self._absent(f"it {reason} ({first_line(error)})") from error
        return Arrays(data.data, np.array(data.targets, np.int64))

    def _absent(self, why: str) -> ZooError:
        return ZooError(
            f"cifar10: neither {_BATCHES} nor {_FOLDER} can be read in {self.root}: {why}; put "
            f"images at {self.root / _FOLDER}/{{train,test}}/CLASS/NAME.jpg, or name another root "
            "with --data or $COMPRESS_DATA"
        )

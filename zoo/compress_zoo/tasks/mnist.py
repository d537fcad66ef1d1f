"""MNIST from the four IDX files, where torchvision lays them out: `ROOT/MNIST/raw`.

They are read with numpy, so that a device evaluates without torch; torchvision downloads them.

Source: LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist (the IDX format is described
there: big endian, a magic number with the number of dimensions, the dimensions, the bytes).
"""

from __future__ import annotations

import contextlib
import math
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.preprocess import Preprocessing
from compress.tasks import Part
from compress.tasks.images import ImageTask
from compress.tasks.pictures import Arrays
from compress_zoo.errors import ZooError, first_line
from compress_zoo.tasks.recipes import Recipe, of_stage, scaled

Pixels = NDArray[np.uint8]

_TRAINING: Mapping[str, Mapping[str, Recipe]] = MappingProxyType(
    {
        "dense": {
            "*": {
                "epochs": 16,
                "batch": 256,
                "optimizer": "sgd",
                "lr": 0.05,
                "weight_decay": 5e-4,
                "warmup_epochs": 1,
                "augment": 1,
            },
            "lenet-300-100": {
                "epochs": 30,
                "batch": 256,
                "optimizer": "sgd",
                "lr": 0.1,
                "weight_decay": 5e-4,
                "warmup_epochs": 1,
                "augment": 1,
            },
        },
        "prune": {
            "*": {
                "epochs": 12,
                "batch": 256,
                "optimizer": "sgd",
                "lr": 0.03,
                "weight_decay": 1e-4,
                "augment": 1,
            },
            "lenet-300-100": {
                "epochs": 12,
                "batch": 256,
                "optimizer": "sgd",
                "lr": 0.05,
                "weight_decay": 1e-4,
                "augment": 1,
            },
        },
        "quantize": {
            "*": {
                "epochs": 4,
                "batch": 256,
                "optimizer": "adam",
                "lr": 2e-4,
                "weight_decay": 0.0,
                "augment": 1,
            },
        },
    }
)
_VALIDATION_EVERY = 12  # 5,000 of the 60,000 training images
_CLASSES = 10
_UBYTE = 0x08  # the type code in an IDX magic number


@dataclass(frozen=True, kw_only=True)
class Mnist(ImageTask):
    """Ten classes of 28x28 grey images: 55,000 to train on, 5,000 to validate, 10,000 to test."""

    root: Path  #: of the data sets

    name = "mnist"
    classes = tuple("0123456789")
    changes = MappingProxyType({"rotate_degrees": 12.0, "shift": 0.08, "scale": 0.1})

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return the settings that were tuned on the validation part; `*` is any other model."""
        recipes = of_stage(_TRAINING, stage)
        return recipes.get(model, recipes["*"])

    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Scale pixels to [0, 1], no mean taken away.

        Pixels that are black in all images then pass no gradient, and weight decay takes their
        weights to zero: they are pruned for free.
        """
        return scaled(shape)

    def pictures(self, part: Part) -> Arrays:
        """Return a part; download what is missing where torchvision and a network are there.

        Raises:
            ZooError: when files are missing and cannot be downloaded, or are not MNIST's.
        """
        if part == "test":
            return _read(self.root, "t10k")
        whole = _read(self.root, "train")
        validates = np.arange(len(whole)) % _VALIDATION_EVERY == _VALIDATION_EVERY - 1
        return whole.take(validates if part == "validation" else ~validates)


def _read(root: Path, prefix: Literal["train", "t10k"]) -> Arrays:
    folder = root / "MNIST" / "raw"
    images, labels = folder / f"{prefix}-images-idx3-ubyte", folder / f"{prefix}-labels-idx1-ubyte"
    for path in (images, labels):
        if not path.is_file():
            _download(root, path)
    pixels, classes = _read_idx(images, 3), _read_idx(labels, 1)
    if len(pixels) != len(classes) or not len(classes) or classes.max() >= _CLASSES:
        raise ZooError(f"{images} and {labels.name} are not images with their labels of MNIST")
    return Arrays(pixels, classes.astype(np.int64))


def _download(root: Path, missing: Path) -> None:
    """Let torchvision bring the files; what it prints belongs on stderr."""
    try:
        from torchvision.datasets import MNIST

        with contextlib.redirect_stdout(sys.stderr):
            MNIST(str(root), download=True)
    except ModuleNotFoundError as error:
        raise _absent(missing, "torchvision, which downloads it, is not installed") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: no mirror answered, or a bad sum
        raise _absent(missing, f"the download failed ({first_line(error)})") from error
    if not missing.is_file():
        raise _absent(missing, "the download did not bring it")


def _absent(missing: Path, why: str) -> ZooError:
    return ZooError(
        f"mnist: {missing.name} is not in {missing.parent} and {why}; put MNIST's four IDX files "
        "there, or name the folder that holds MNIST/raw with --data or $COMPRESS_DATA"
    )


def _read_idx(path: Path, dimensions: int) -> Pixels:
    """Read unsigned bytes; the header is checked against the file's size before memory is taken."""
    start = 4 + 4 * dimensions
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            header = stream.read(start)
            if len(header) != start or header[:4] != bytes((0, 0, _UBYTE, dimensions)):
                raise ZooError(f"{path} is no IDX file of bytes in {dimensions} dimensions")
            shape = struct.unpack(f">{dimensions}I", header[4:])
            if math.prod(shape) != size - start:
                raise ZooError(f"{path} has {size} bytes, which does not fit its shape {shape}")
            data = stream.read(size - start)
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    return np.frombuffer(data, np.uint8).reshape(shape)

"""A plain network for CIFAR-10, its data in memory, and a metric that is not accuracy.

compress run --model benchmarks/own/cifar.py:net --task benchmarks/own/cifar.py:data …
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.tasks import Arrays, Metric

if TYPE_CHECKING:
    from torch import nn

_CLASSES = 10
_VALIDATION_EVERY = 10
_TRAINING = {
    "prune": {"epochs": 8, "batch": 128, "optimizer": "adamw", "lr": 2e-3, "weight_decay": 1e-2},
    "quantize": {"epochs": 2, "batch": 128, "optimizer": "adam", "lr": 2e-4, "weight_decay": 0.0},
}


def net() -> nn.Module:
    """Return six convolutions and a linear layer, 288,746 parameters."""
    from torch import nn

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(3, 32), *block(32, 32), nn.MaxPool2d(2),
        *block(32, 64), *block(64, 64), nn.MaxPool2d(2),
        *block(64, 128), *block(128, 128), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(128, _CLASSES),
    )  # fmt: skip


def data(root: Path) -> Arrays:
    """Return the images below ROOT/cifar10-images as arrays, one class after the other."""
    images, labels = arrays(root, "train")
    validates = np.arange(len(labels)) % _VALIDATION_EVERY == 0
    return Arrays(
        name="cifar",
        train=(images[~validates], labels[~validates]),
        validation=(images[validates], labels[validates]),
        test=arrays(root, "test"),
        metric=BALANCED,
        training=_TRAINING,
    )


def arrays(root: Path, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a part's images, shape `(n, 3, 32, 32)`, and the numbers of their classes."""
    folders = sorted((root / "cifar10-images" / part).iterdir())
    paths = [(path, label) for label, folder in enumerate(folders) for path in folder.iterdir()]
    pixels = np.stack([np.asarray(Image.open(path)) for path, _ in sorted(paths)])
    images = ((pixels / 255 - 0.47) / 0.25).astype(np.float32)
    return images.transpose(0, 3, 1, 2).copy(), np.array([label for _, label in sorted(paths)])


def _right(outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """Return each sample's class, and whether the network says it."""
    return np.stack([targets, outputs.argmax(1) == targets], 1).astype(np.float64)


def _mean_recall(figures: NDArray[np.float64]) -> float:
    return float(np.mean([figures[figures[:, 0] == c, 1].mean() for c in range(_CLASSES)]))


BALANCED = Metric(name="balanced accuracy", each=_right, whole=_mean_recall)

"""What several tasks share: settings by stage, parts that are split off, plain preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from compress.preprocess import Preprocessing

Recipe = Mapping[str, int | float | str]  # settings of one training, by name
_Held = TypeVar("_Held")

_VALIDATION_EVERY = 10


def of_stage(recipes: Mapping[str, _Held], stage: str) -> _Held:
    """Return what stands under a stage: `dense`, or a pass; others train as pruning does."""
    return recipes.get(stage, recipes["prune"])


def fine_tuning(lr: float) -> Mapping[str, Recipe]:
    """Return settings by stage for encoders of text that are trained already."""
    adamw: Recipe = {"epochs": 4, "batch": 32, "optimizer": "adamw", "lr": lr, "weight_decay": 0.01}
    adam: Recipe = {"epochs": 1, "batch": 32, "optimizer": "adam", "lr": 1e-5, "weight_decay": 0.0}
    return {"dense": {**adamw, "warmup_epochs": 0.4}, "prune": adamw, "quantize": adam}


def tenth(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose every tenth sample of each class to validate; a class of one is trained on."""
    order = np.argsort(labels, kind="stable")
    _, begins, counts = np.unique(labels[order], return_index=True, return_counts=True)
    places = np.empty(len(labels), np.int64)  # of each sample within its class
    places[order] = np.arange(len(labels)) - np.repeat(begins, counts)
    sizes = np.empty(len(labels), np.int64)
    sizes[order] = np.repeat(counts, counts)
    chosen: NDArray[np.bool_] = (places % _VALIDATION_EVERY == 0) & (sizes > 1)
    return chosen


def scaled(shape: tuple[int, int, int]) -> Preprocessing:
    """Scale an image to an input of one or three channels, its pixels to [0, 1]."""
    channels, height, width = shape
    return Preprocessing(
        mode="L" if channels == 1 else "RGB", crop=(height, width), resize=(height, width)
    )

"""Accuracy of a network on samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.training.data import Batches, Order
from compress.training.task import Samples

_MAX_BATCH = 256
_BATCH_VALUES = 4 << 20  # 27 images of 224x224: activations take many times the input's memory


def accuracy(
    model: nn.Module,
    samples: Samples,
    preprocessing: Preprocessing,
    *,
    batch: int | None = None,
    device: str | torch.device = "cpu",
) -> float:
    """Return the fraction of samples whose largest output is that of their class, in [0, 1].

    The model is moved to the device and keeps its mode.

    Args:
        model: gives one output a class.
        samples: at least one.
        preprocessing: what the network expects.
        batch: samples at a time; by default as many as keep memory small, at most 256.
        device: where it runs.

    Raises:
        DataError: when the outputs of a sample are not finite: such a network has no accuracy.
    """
    batches, place = Batches(samples, preprocessing), torch.device(device)
    order = chunks(len(batches), batch or batch_of(batches))
    right, unknown = _count(model.to(place), batches, order, place)
    if unknown:
        raise DataError(
            f"the network's outputs are not finite for {unknown} of {len(batches)} images, "
            "so it has no accuracy: look at its weights, or train with a lower lr"
        )
    return right / len(batches)


def batch_of(batches: Batches) -> int:
    """Return how many samples are evaluated at a time."""
    return max(1, min(_MAX_BATCH, _BATCH_VALUES // batches.values_per_sample))


def chunks(count: int, batch: int) -> list[Order]:
    """Return the numbers below `count` in order, in arrays of at most `batch`."""
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]


def correct(
    model: nn.Module, batches: Batches, order: Sequence[Order], device: torch.device
) -> int:
    """Return how many of the samples in `order` are classified rightly.

    One whose outputs are not finite is not: it has no class.
    """
    return _count(model, batches, order, device)[0]


@torch.inference_mode()
def _count(
    model: nn.Module, batches: Batches, order: Sequence[Order], device: torch.device
) -> tuple[int, int]:
    """Return how many samples are classified rightly, and of how many outputs are not finite."""
    training = model.training
    model.eval()
    try:
        right, unknown = torch.zeros(2, dtype=torch.int64, device=device)
        for inputs, labels in batches.iterate(order, device):
            largest, found = model(inputs).max(1)
            told = largest.isfinite()  # a NaN is the largest to torch, too
            right += (told & (found == labels)).sum()
            unknown += (~told).sum()
        return int(right), int(unknown)
    finally:
        model.train(training)

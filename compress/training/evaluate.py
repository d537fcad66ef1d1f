"""Accuracy of a network on samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from compress.preprocess import Preprocessing
from compress.training.data import Batches, Order
from compress.training.task import Samples


def accuracy(
    model: nn.Module,
    samples: Samples,
    preprocessing: Preprocessing,
    *,
    batch: int = 256,
    device: str | torch.device = "cpu",
) -> float:
    """Return the fraction of samples whose largest output is that of their class, in [0, 1].

    The model is moved to the device and keeps its mode.
    """
    batches, place = Batches(samples, preprocessing), torch.device(device)
    return correct(model.to(place), batches, chunks(len(batches), batch), place) / len(batches)


def chunks(count: int, batch: int) -> list[Order]:
    """Return the numbers below `count` in order, in arrays of at most `batch`."""
    return [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]


@torch.inference_mode()
def correct(
    model: nn.Module, batches: Batches, order: Sequence[Order], device: torch.device
) -> int:
    """Return how many of the samples in `order` are classified rightly."""
    training = model.training
    model.eval()
    try:
        right = torch.zeros((), dtype=torch.int64, device=device)
        for inputs, labels in batches.iterate(order, device):
            right += (model(inputs).argmax(1) == labels).sum()
        return int(right)
    finally:
        model.train(training)

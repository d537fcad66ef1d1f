"""ULMFiT: how a language model becomes a text classifier without forgetting the language.

Its body is trained on a large text, then on the task's, then gets a classifier. Three measures
keep what it knows: lower layers learn more slowly, the rate rises briefly and falls long, and
layers join the training one by one, from the last.

Source: Howard & Ruder 2018, arXiv:1801.06146, sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compress_zoo.networks.awd_lstm import AwdLstm


def layer_groups(model: AwdLstm) -> list[list[nn.Parameter]]:
    """Return a language model's parameters by layer, from the words to the decoder's bias."""
    layers = (list(layer.parameters()) for layer in [model.words, *model.layers])
    return [*layers, [model.decoder.bias]]


def discriminative_rates(
    groups: Sequence[Sequence[nn.Parameter]], rate: float, factor: float = 2.6
) -> list[dict[str, Any]]:
    """Return groups for an optimizer: the last learns at `rate`, each below it `factor` slower."""
    last = len(groups) - 1
    return [
        {"params": list(group), "lr": rate / factor ** (last - number)}
        for number, group in enumerate(groups)
    ]


def slanted_triangular_rate(
    step: int, steps: int, rate: float = 0.01, *, rising: float = 0.1, ratio: float = 32.0
) -> float:
    """Return the learning rate at a step of the training: equation 3.

    Args:
        step: in [0, steps).
        steps: of the whole training.
        rate: the largest.
        rising: fraction of the steps in which the rate rises.
        ratio: of the largest rate to the smallest.
    """
    cut = max(1, int(steps * rising))
    part = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / rising - 1))
    return rate * (1 + part * (ratio - 1)) / ratio


def gradual_unfreezing(groups: Sequence[Sequence[nn.Parameter]]) -> Iterator[int]:
    """Before each epoch let one more group learn, from the last; yield how many do.

    It ends with the last group; the caller trains on with all.
    """
    for number in range(1, len(groups) + 1):
        for place, group in enumerate(reversed(groups), 1):
            for parameter in group:
                parameter.requires_grad_(place <= number)
        yield number


class ConcatPoolingClassifier(nn.Module):
    """The task's head: the body's last output, largest and mean, and two linear layers."""

    def __init__(self, dimensions: int, classes: int, *, hidden: int = 50) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(3 * dimensions),
            nn.Dropout(0.4),
            nn.Linear(3 * dimensions, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(0.1),
            nn.Linear(hidden, classes),
        )

    def forward(self, outputs: Tensor) -> Tensor:
        """Return the logits, `(batch, classes)`, of the body's outputs `(batch, time, features)`."""
        pooled = torch.cat([outputs[:, -1], outputs.amax(1), outputs.mean(1)], 1)
        logits: Tensor = self.layers(pooled)
        return logits

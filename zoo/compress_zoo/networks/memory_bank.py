"""A memory of one vector for every image of the training set: negatives without a large batch.

Source: Wu et al. 2018, arXiv:1805.01978, section 3; Misra & van der Maaten 2019,
arXiv:1912.01991.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOMENTUM = 0.5  # weight of what is remembered when a new vector comes
TEMPERATURE = 0.07


class MemoryBank:
    """Moving averages, of length 1, of the vectors that training has seen.

    Args:
        images: size of the training set.
        width: of a vector.
        seed: of the first vectors, which are random, and of the negatives.
        momentum: weight of what is remembered.
    """

    def __init__(self, images: int, width: int, seed: int, momentum: float = MOMENTUM) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        first = torch.randn(images, width, generator=self._generator)
        self._vectors = functional.normalize(first, dim=1)
        self._momentum = momentum

    def read(self, images: Tensor) -> Tensor:
        """Return the vectors of images, by number."""
        return self._vectors[images]

    def negatives(self, count: int) -> Tensor:
        """Draw vectors of any images, `(count, width)`, with replacement."""
        return self.read(torch.randint(len(self._vectors), (count,), generator=self._generator))

    def update(self, images: Tensor, vectors: Tensor) -> None:
        """Mix new vectors into those that are remembered."""
        mixed = self._momentum * self.read(images) + (1 - self._momentum) * vectors.detach()
        self._vectors[images] = functional.normalize(mixed, dim=1)


def log_probabilities(
    anchors: Tensor, positives: Tensor, negatives: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """Return the log probability of the positive, then of each negative: `(batch, 1 + count)`.

    Args:
        anchors: `(batch, width)`, of length 1, as all vectors here.
        positives: `(batch, width)`.
        negatives: `(count, width)`, the same ones for all anchors.
        temperature: that the cosines are divided by.
    """
    right = (anchors * positives).sum(1, keepdim=True)
    return (torch.cat([right, anchors @ negatives.T], dim=1) / temperature).log_softmax(1)

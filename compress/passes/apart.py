"""Samples held apart: how far a network is from itself before compression, where no step looked.

A step that should help may learn its samples by heart, or be wrong about a network. So each is
judged on samples that it did not use, by what leaves the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.passes.network import Network, Samples
from compress.passes.samples import count, rows

_EVERY = 5  # samples, one is held apart
_LEAST = 4  # held apart: with fewer a step is a matter of luck

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Apart:
    """Samples that no step uses, and what the network gave for them."""

    samples: Samples
    outputs: Sequence[Array]  #: before compression
    scores: bool  #: whether outputs of two axes are scores of classes

    def divergence(self, network: Network) -> float:
        """Return how far a network's outputs are from those before compression.

        For scores it is the mean KL divergence of the classes' chances, in nats; for other outputs
        the squared error as a part of the sum of squares. Several outputs are added up.
        """
        found = network.outputs(self.samples)
        return sum(map(self._between, self.outputs, found))

    def _between(self, before: Array, after: Array) -> float:
        if before.shape != after.shape:
            return math.nan  # a number of rows that depends on values
        before, after = before.astype(np.float64), after.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scores and before.ndim == 2 and before.shape[1] > 1:
                p, q = log_softmax(before), log_softmax(after)
                return float((np.exp(p) * (p - q)).sum(1).mean())
            return float(np.square(before - after).sum() / max(np.square(before).sum(), 1e-30))


def held_apart(network: Network, samples: Samples, *, scores: bool) -> tuple[Samples, Apart] | None:
    """Return the samples that a step may use and those that judge it; None where they are too few.

    Args:
        network: before compression.
        samples: what it takes.
        scores: whether outputs of two axes are scores of classes.
    """
    is_apart = np.arange(count(samples)) % _EVERY == _EVERY - 1
    if int(is_apart.sum()) < _LEAST:
        return None
    apart = rows(samples, is_apart)
    return rows(samples, ~is_apart), Apart(apart, network.outputs(apart), scores)


def least() -> int:
    """Return how many samples it takes for some to be held apart."""
    return _EVERY * _LEAST


def in_all(used: int) -> int:
    """Return how many samples it takes for steps to use so many, and others to be held apart."""
    return max(-(-used * _EVERY // (_EVERY - 1)), least()) if used else 0


def log_softmax(scores: Array) -> NDArray[np.float64]:
    """Return the logarithms of the classes' chances, shape `(n, classes)`."""
    shifted = scores - scores.max(1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return found

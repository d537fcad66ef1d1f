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
class Lost:
    """What a network is expected to lose, by what it said itself before compression."""

    points: float  #: of a metric in percent
    error: float  #: one standard error of it
    changed: float  #: part of the answers that changed; of vectors, their squared error


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

    def lost(self, network: Network) -> Lost:
        """Return the points that a network is expected to lose; the worst of its outputs counts.

        For scores they are the mean of how much likelier its own answer was before compression
        than the one it gives now. For other outputs a squared error of a part e of the squares is
        taken for noise: what a correlation of these outputs with anything has, it has divided by
        1 + e.
        """
        found = network.outputs(self.samples)
        losses = [self._lost(*pair) for pair in zip(self.outputs, found, strict=True)]
        return max(losses, key=lambda lost: lost.points + lost.error)

    def _lost(self, before: Array, after: Array) -> Lost:
        if not self._are_scores(before):
            part = self._between(before, after)
            if not math.isfinite(part):
                return Lost(100.0, 0.0, 1.0)
            return Lost(100 * part / (1 + part), 0.0, min(part, 1.0))
        if not np.isfinite(after).all():
            return Lost(100.0, 0.0, 1.0)
        rows, chances = np.arange(len(before)), np.exp(log_softmax(before.astype(np.float64)))
        first, now = before.argmax(1), after.argmax(1)
        each = chances[rows, first] - chances[rows, now]
        changed = max(float((first != now).mean()), 1 / len(rows))
        points, spread = 100 * float(each.mean()), 100 * float(each.std())
        return Lost(points, spread / math.sqrt(len(rows)), changed)

    def _are_scores(self, output: Array) -> bool:
        return self.scores and output.ndim == 2 and output.shape[1] > 1

    def _between(self, before: Array, after: Array) -> float:
        if before.shape != after.shape:
            return math.nan  # a number of rows that depends on values
        before, after = before.astype(np.float64), after.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            if self._are_scores(before):
                p, q = log_softmax(before), log_softmax(after)
                return float((np.exp(p) * (p - q)).sum(1).mean())
            return float(np.square(before - after).sum() / max(np.square(before).sum(), 1e-30))


def held_apart(
    network: Network, samples: Samples, *, used: int, scores: bool
) -> tuple[Samples, Apart] | None:
    """Return the samples that a step may use and those that judge it; None where they are too few.

    Args:
        network: before compression.
        samples: what it takes; every fifth is held apart, and what is more than is used.
        used: samples that a step uses at most.
        scores: whether outputs of two axes are scores of classes.
    """
    places = np.arange(count(samples))
    is_apart = (places % _EVERY == _EVERY - 1) | (places >= in_all(used))
    if int(is_apart.sum()) < _LEAST:
        return None
    apart = rows(samples, is_apart)
    return rows(samples, np.flatnonzero(~is_apart)[:used]), Apart(
        apart, network.outputs(apart), scores
    )


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

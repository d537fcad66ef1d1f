"""Samples held apart: how far a network is from itself before compression, where no step looked.

A step that should help may learn its samples by heart, or be wrong about a network. So each is
judged on samples that it did not use, by what leaves the network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from compress.passes.samples import Samples, batches, count, rows

_EVERY = 5  # samples, one is held apart
_LEAST = 4  # held apart: with fewer a step is a matter of luck
_BATCH = 16  # samples


@dataclass(frozen=True, slots=True)
class Apart:
    """Samples that no step uses, and what the network gave for them."""

    samples: tuple[Tensor, ...]
    outputs: Sequence[Sequence[Tensor]]  #: before compression, by batch
    scores: bool  #: whether outputs of two axes are scores of classes

    def divergence(self, model: nn.Module) -> float:
        """Return how far a model's outputs are from those before compression.

        For scores it is the mean KL divergence of the classes' chances, in nats; for other outputs
        the squared error as a part of the sum of squares. Several outputs are added up.
        """
        lost: defaultdict[int, float] = defaultdict(float)  # by output
        of: defaultdict[int, float] = defaultdict(float)
        for reference, batch in zip(self.outputs, batches(self.samples, _BATCH), strict=True):
            found = _outputs(model, batch)
            for place, (before, after) in enumerate(zip(reference, found, strict=True)):
                if self._are_scores(before):
                    p, q = (output.double().log_softmax(1) for output in (before, after))
                    lost[place] += (p.exp() * (p - q)).sum().item()
                    of[place] += len(before)
                else:
                    lost[place] += (before.double() - after).square().sum().item()
                    of[place] += before.double().square().sum().item()
        return sum(lost[place] / max(of[place], 1e-30) for place in lost)

    def _are_scores(self, output: Tensor) -> bool:
        return self.scores and output.ndim == 2 and output.shape[1] > 1


def held_apart(
    model: nn.Module, samples: Samples, *, scores: bool
) -> tuple[tuple[Tensor, ...], Apart] | None:
    """Return the samples that a step may use and those that judge it; None where they are too few.

    Args:
        model: before compression.
        samples: what it takes.
        scores: whether outputs of two axes are scores of classes.
    """
    n = count(samples)
    places = torch.arange(n)
    is_apart = places % _EVERY == _EVERY - 1
    if int(is_apart.sum()) < _LEAST:
        return None
    apart = rows(samples, places[is_apart])
    outputs = [_outputs(model, batch) for batch in batches(apart, _BATCH)]
    return rows(samples, places[~is_apart]), Apart(apart, outputs, scores)


def least() -> int:
    """Return how many samples it takes for some to be held apart."""
    return _EVERY * _LEAST


def in_all(used: int) -> int:
    """Return how many samples it takes for steps to use so many, and others to be held apart."""
    return max(-(-used * _EVERY // (_EVERY - 1)), least()) if used else 0


@torch.inference_mode()
def _outputs(model: nn.Module, batch: tuple[Tensor, ...]) -> list[Tensor]:
    found = tree_leaves(model.eval()(*batch))
    return [leaf for leaf in found if isinstance(leaf, Tensor) and leaf.is_floating_point()]

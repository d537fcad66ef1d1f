"""Samples of what a network takes: a tensor for each of its inputs, with a row for each sample."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Samples = Tensor | tuple[Tensor, ...]  # a tensor alone is a network's one input


def count(samples: Samples) -> int:
    """Return how many samples there are."""
    return len(_inputs(samples)[0])


def rows(samples: Samples, places: slice | Tensor) -> tuple[Tensor, ...]:
    """Return some of the samples, an input each."""
    return tuple(given[places] for given in _inputs(samples))


def batches(samples: Samples, size: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield the samples in order, `size` at a time, an input each."""
    return zip(*(torch.split(given, size) for given in _inputs(samples)), strict=True)


def _inputs(samples: Samples) -> tuple[Tensor, ...]:
    return (samples,) if isinstance(samples, Tensor) else samples

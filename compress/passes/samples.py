"""Samples of what a network takes: an array for each of its inputs, with a row for each sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.passes.network import Samples


def count(samples: Samples) -> int:
    """Return how many samples there are."""
    return len(samples[0])


def rows(samples: Samples, places: slice | NDArray[Any]) -> Samples:
    """Return some of the samples."""
    return tuple(np.ascontiguousarray(given[places]) for given in samples)


def batches(samples: Samples, size: int) -> Iterator[Samples]:
    """Yield the samples in order, `size` at a time."""
    for begin in range(0, count(samples), size):
        yield tuple(given[begin : begin + size] for given in samples)

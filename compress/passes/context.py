"""What a pass is given beside a network and its settings, and what it returns. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compress.passes.network import Network, Samples, Skipped, Weight

OnStep = Callable[[int, int], None]


def _nothing(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the runner has bound; what is None is not to be had."""

    seed: int = 0
    #: trains the network in place by the pass's own `train` settings; calls its argument, where
    #: that is not None, as `on_step(step, total)` before each step
    fit: Callable[[OnStep | None], object] | None = None
    #: so many samples without labels, the first of a random order; fewer where there are fewer
    samples: Callable[[int], Samples] | None = None
    #: of what the network takes, as its file is checked on, and how many samples that is
    examples: Samples | None = None
    n_examples: int = 1
    are_real: bool = True  #: samples are of the data, and not made up for want of any
    #: size of the file that the network would make as it is
    file_bytes: Callable[[Network], int] | None = None
    #: points of the metric lost against the dense network on the validation part, and the number
    #: of samples that say so
    drop: Callable[[Network], tuple[float, int]] | None = None
    scores: bool = True  #: outputs of two axes are scores of classes
    note: Callable[[str], None] = _nothing  #: tells what the pass is at


@dataclass(frozen=True, slots=True)
class Layer:
    """What a pass made of one weight."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    nonzero: int
    distinct: int | None = None  #: distinct nonzero values, where they are shared
    bits: int | None = None  #: of a code
    pattern: str | None = None  #: N:M of its zeros, where it was given one
    note: str | None = None  #: what a reader of the report should know of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a pass did."""

    layers: tuple[Layer, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()  #: what was left out of what was asked for, and why
    figures: Mapping[str, Any] = field(default_factory=dict)  #: of the whole pass, as JSON's types
    plan: Mapping[str, Any] | None = None  #: what `rebuild` needs, as JSON's types

    @property
    def weights(self) -> int:
        """Weights in the changed layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def nonzero(self) -> int:
        """Weights in the changed layers that are not zero."""
        return sum(layer.nonzero for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Zeros / weights over the changed layers."""
        return 1 - self.nonzero / self.weights if self.weights else 0.0


def layer_of(weight: Weight, pattern: str | None = None) -> Layer:
    """Return a weight as it is, its values not shared.

    Args:
        weight: of the network.
        pattern: that its zeros are promised to have.
    """
    values = weight.values()
    nonzero = int(np.count_nonzero(values))
    return Layer(weight.name, weight.kind, weight.shape, len(values), nonzero, pattern=pattern)


Run = Callable[[Network, Any, Context], Passed]  # the form of every pass

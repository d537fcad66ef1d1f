"""A network as passes see it: weights by name and kind, in numpy, of torch or of an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.passes.targets import Addressed

Samples = tuple[NDArray[Any], ...]  # an array for each input of the network, a row for each sample
Values = NDArray[np.float32]
Levels = Any  # what a network keeps of its channels' means and variances; its own business


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that a pass leaves alone."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Codes:
    """A weight whose values are shared."""

    codes: NDArray[np.integer[Any]]  #: index of a centroid, -1 for a pruned zero, shape `(n,)`
    centroids: Values  #: shape `(k,)`


class Weight(Addressed, Protocol):
    """A tensor that passes may change. What it must keep later steps respect."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; `(out, in, ...)` as its layer has it."""

    @property
    def contracted(self) -> int | None:
        """The axis along which linear layers and convolutions add it up; None for other layers."""

    def values(self) -> Values:
        """Return the numbers in order, shape `(n,)`; they may be the weight's own memory."""

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """What an earlier pruning keeps, shape `(n,)`; None where nothing was pruned."""

    @property
    def is_shared(self) -> bool:
        """Whether its values are shared."""

    def set_values(self, values: Values) -> None:
        """Take other numbers, shape `(n,)`, bound to nothing."""

    def set_mask(self, keep: NDArray[np.bool_]) -> None:
        """Set to zero what a mask of shape `(n,)` does not keep, and have it stay so."""

    def set_codes(self, held: Codes) -> None:
        """Take the values of a codebook, and have them stay shared."""


@contextmanager
def named_errors(weight: Weight) -> Iterator[None]:
    """Put a weight's name before an error about its numbers."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{weight.name}: {error}") from error


@dataclass(slots=True)
class Moments:
    """Sums of outer products of what the rows of a weight are multiplied with."""

    blocks: list[NDArray[np.float64]]  #: of inputs in order, `(groups, n, n)` each
    places: int  #: that were summed


class Network(Protocol):
    """A network whose weights are changed in place."""

    def weights(self) -> tuple[Sequence[Weight], Sequence[Skipped]]:
        """List the weights that can be compressed, and why each other parameter is none."""

    def outputs(self, samples: Samples) -> list[NDArray[Any]]:
        """Return each floating output for all samples, in evaluation mode."""

    def moments(self, weights: Sequence[Weight], samples: Samples) -> Mapping[str, Moments]:
        """Return, by weight, what its layer is given on samples.

        Weights of layers that are no linear or (1-d, 2-d) convolution have none.
        """

    def levels(self, samples: Samples) -> Levels:
        """Return what biases decide of each channel on samples."""

    def correct(self, samples: Samples, levels: Levels) -> int:
        """Move biases so that channels have earlier levels again; return how many layers moved."""

    def vectors(self) -> Mapping[str, NDArray[Any]]:
        """Copy what `correct` may move."""

    def set_vectors(self, vectors: Mapping[str, NDArray[Any]]) -> None:
        """Put what `vectors` returned back."""

    @property
    def notes(self) -> Sequence[str]:
        """What could not be done so far, and why."""


@runtime_checkable
class Differentiable(Protocol):
    """A network that has gradients."""

    def fisher(
        self, weights: Sequence[Weight], samples: Samples, seed: int
    ) -> Mapping[str, Values]:
        """Return the diagonal of the Fisher information by weight, shape `(n,)`.

        Args:
            weights: of the network.
            samples: what it takes.
            seed: of labels that are drawn.
        """

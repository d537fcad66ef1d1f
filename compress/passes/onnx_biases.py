"""How far the biases of an ONNX graph move: torch_levels.py in numpy.

A BatchNormalization has its mean and variance moved, any other layer the constant that it adds.
What a layer is given when it is moved comes from the layers that were moved before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.passes.behind import Bounds, Level, places, shift_behind
from compress.passes.onnx_inputs import size_of
from compress.passes.onnx_segments import Stop

_MOST = 0.7  # logarithm of what a batch may change a variance by: a channel may be all but dead

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Bias:
    """A constant that is added to each channel of what a layer gives."""

    stop: Stop
    name: str  #: of the constant
    axis: int  #: of the channels, from behind where it is negative
    factor: float = 1.0  #: that the constant is multiplied with
    behind: Bounds | None = None  #: bounds of the activation that alone reads it

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what may move."""
        return (self.name,)

    def level(self, values: Sequence[Array], vectors: Mapping[str, Array]) -> Level:
        """Return the mean of each channel, behind its activation."""
        if self.behind is not None:
            values = [np.clip(array, *self.behind) for array in values]
        elif self.axis == -1 and all(array.ndim == 3 for array in values):
            return _of_tokens(values)
        count = sum(array.size for array in values)
        sums = [_over(array, self.axis) for array in values]
        return _total(sums) * (len(sums[0]) / max(count, 1))

    def shift(self, earlier: Level, values: Sequence[Array], vectors: Mapping[str, Array]) -> Level:
        """Return what is to be added to each channel for its earlier level."""
        missing = earlier - self.level(values, vectors)
        if self.behind is None or not np.isfinite(missing).all():
            return missing
        return shift_behind(_rows(values, self.axis), earlier, missing, self.behind)

    def move(self, shift: Level, vectors: dict[str, Array]) -> None:
        """Move the constant."""
        old = vectors[self.name]
        moved = old.astype(np.float64) + shift.reshape(old.shape) / self.factor
        vectors[self.name] = moved.astype(old.dtype)

    def shifted(self, values: Sequence[Array], shift: Level) -> list[Array] | None:
        """Return what the layer now gives."""
        out = []
        for array in values:
            shape = [1] * array.ndim
            shape[self.axis] = -1
            out.append(array + shift.astype(array.dtype).reshape(shape))
        return out


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """A BatchNormalization, whose mean and variance may move."""

    stop: Stop  #: at what it is given
    mean: str
    variance: str
    epsilon: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what may move."""
        return (self.mean, self.variance)

    def level(self, values: Sequence[Array], vectors: Mapping[str, Array]) -> Level:
        """Return how far mean and variance of what it is given are from those that it holds.

        The variance counts by its logarithm. What is given does not change when these are moved;
        what becomes of it does.
        """
        channels = len(vectors[self.mean])
        if any(array.ndim < 2 or array.shape[1] != channels for array in values):
            return np.full((2, channels), np.nan)  # nothing that it could take
        count = max(sum(array.size for array in values) // max(channels, 1), 1)
        mean = _total([_over(array, 1) for array in values]) / count
        wide = [1, -1, *[1] * (values[0].ndim - 2)]
        squares = [_over(np.square(array - mean.reshape(wide)), 1) for array in values]
        held_mean, held = (vectors[name].astype(np.float64) for name in self.names)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = (_total(squares) / count + self.epsilon) / (held + self.epsilon)
            return np.stack([mean - held_mean, np.log(parts)])

    def shift(self, earlier: Level, values: Sequence[Array], vectors: Mapping[str, Array]) -> Level:
        """Return how far it is from its earlier level."""
        return earlier - self.level(values, vectors)

    def move(self, shift: Level, vectors: dict[str, Array]) -> None:
        """Move both."""
        mean, variance = (vectors[name] for name in self.names)
        part = np.exp(-shift[1].clip(-_MOST, _MOST))
        moved = (variance.astype(np.float64) + self.epsilon) * part - self.epsilon
        vectors[self.mean] = (mean.astype(np.float64) - shift[0]).astype(mean.dtype)
        vectors[self.variance] = moved.clip(min=0).astype(variance.dtype)

    def shifted(self, values: Sequence[Array], shift: Level) -> list[Array] | None:
        """Return nothing: what it is given stays."""
        return None


Moving = Bias | BatchNorm


@dataclass(slots=True)
class Correction:
    """Moves what may move, from front to back and batch by batch."""

    moving: Sequence[Moving]
    vectors: dict[str, Array]  #: by name, as they are now
    asked: Counter[tuple[str, ...]] = field(default_factory=Counter)  #: samples so far

    def move(
        self, earlier: Mapping[int, Level], n: int, number: int, values: list[Array]
    ) -> list[Array] | None:
        """Move one by its part of the shift; return what its layer now gives, if that changed.

        What several layers add gets the mean of what they ask for.

        Args:
            earlier: levels of this batch, before compression.
            n: samples of this batch.
            number: of what moves.
            values: at its stop, by chunk.
        """
        one = self.moving[number]
        shift = one.shift(earlier[number], values, self.vectors)
        if not np.isfinite(shift).all():
            return None  # nothing was given, or it overflows
        self.asked[one.names] += n
        shift *= n / self.asked[one.names]
        one.move(shift, self.vectors)
        return one.shifted(values, shift)


def _of_tokens(values: Sequence[Array]) -> Level:
    """Return the mean of each channel, where an error counts as a part of a token's size."""
    weights = [1 / np.square(size_of(array), dtype=np.float64) for array in values]
    sums = [_over(array * own, -1) for array, own in zip(values, weights, strict=True)]
    level: Level = _total(sums) / max(sum(float(own.sum()) for own in weights), 1e-30)
    return level


def _over(array: Array, axis: int) -> NDArray[np.float64]:
    """Return the sums of all axes but one."""
    others = tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    sums: NDArray[np.float64] = array.sum(axis=others, dtype=np.float64)
    return sums


def _rows(values: Sequence[Array], axis: int) -> Array:
    """Return some values of each channel, shape `(channels, n)`."""
    n = sum(array.size // array.shape[axis] for array in values)
    rows = [np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) for array in values]
    return np.concatenate([own[:, :: places(n)] for own in rows], axis=1)


def _total(sums: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(sums, axis=0)
    return total

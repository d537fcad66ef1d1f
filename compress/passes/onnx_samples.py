"""Samples as an ONNX graph takes them: batches of any size, of one size, or one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import BFLOAT16, FLOATS
from compress.errors import DataError
from compress.passes.network import Samples

if TYPE_CHECKING:
    from onnx import GraphProto

Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some samples."""

    feeds: Feeds
    rows: int  #: that are samples; behind them the last one stands again, for a fixed batch
    fed: int  #: rows in all

    @property
    def counts(self) -> tuple[int, int]:
        """Rows that are samples, and rows in all."""
        return self.rows, self.fed

    @property
    def trimmed(self) -> int:
        """Rows that are samples where others stand behind them, else 0."""
        return self.rows if self.rows < self.fed else 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a graph takes: for each input its name, and its shape where that is known.

    Samples of an input have an array with a row for each. Where a row has all of the input's axes
    (a state whose batch is not in front, a number), samples are given one at a time.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...] | None, ...]  #: 0 for a size that varies
    kinds: tuple[np.dtype[Any] | None, ...]  #: of its floats, as numpy has them; None for others

    def chunks(self, samples: Samples, size: int) -> Iterator[Chunk]:
        """Yield samples in order, `size` at a time or as many as the graph takes.

        Raises:
            DataError: when they do not fit the graph's inputs.
        """
        whole = self._whole(samples)
        n = len(samples[0])
        fixed = 1 if any(whole) else self._batch()
        for begin in range(0, n, fixed or size):
            rows = min(fixed or size, n - begin)
            places = np.arange(begin, begin + (fixed or rows)).clip(max=n - 1)
            parts = [
                given[begin] if alone else given[places]
                for given, alone in zip(samples, whole, strict=True)
            ]
            feeds = {
                name: part if kind is None else part.astype(kind, copy=False)
                for name, part, kind in zip(self.names, parts, self.kinds, strict=True)
            }
            yield Chunk(feeds, rows, fixed or rows)

    def is_alone(self, samples: Samples) -> bool:
        """Return whether samples are given one at a time, each without an axis of its own."""
        return any(self._whole(samples))

    def _whole(self, samples: Samples) -> list[bool]:
        """Return of which inputs a sample is the whole input."""
        if len(samples) != len(self.names) or not self.names:
            raise DataError(
                f"samples must be an array for each of {len(self.names)} inputs, got {len(samples)}"
            )
        whole = []
        for name, shape, given in zip(self.names, self.shapes, samples, strict=True):
            if given.ndim == 0 or len(given) != len(samples[0]) or not len(given):
                raise DataError(
                    f"samples of {name!r} must be rows, one for each, got {given.shape}"
                )
            if shape is not None and given.ndim not in (len(shape), len(shape) + 1):
                raise DataError(
                    f"samples of {name!r} must have {len(shape)} axes, got {given.ndim}"
                )
            whole.append(shape is not None and given.ndim == len(shape) + 1)
        return whole

    def _batch(self) -> int:
        """Return the one size of a batch that the graph takes; 0 for any."""
        sizes = {shape[0] for shape in self.shapes if shape is not None} - {0}
        if len(sizes) > 1:
            raise DataError(f"inputs have batches of {sorted(sizes)}; give samples one at a time")
        return sizes.pop() if sizes else 0


def inputs_of(graph: GraphProto) -> Inputs:
    """Return what must be given to a graph: its inputs that no initializer stands for."""
    held = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in held]
    shapes: list[tuple[int, ...] | None] = []
    kinds: list[np.dtype[Any] | None] = []
    for value in values:
        tensor = value.type.tensor_type
        known = tensor.HasField("shape")
        shapes.append(tuple(max(d.dim_value, 0) for d in tensor.shape.dim) if known else None)
        kinds.append(None if tensor.elem_type == BFLOAT16 else FLOATS.get(tensor.elem_type))
    return Inputs(tuple(value.name for value in values), tuple(shapes), tuple(kinds))


def joined(
    found: Sequence[Sequence[Any]], counts: Sequence[tuple[int, int]], *, alone: bool
) -> list[NDArray[Any]]:
    """Return each floating output for all samples; in a row, where rows are no samples.

    Args:
        found: outputs by chunk.
        counts: of rows, by chunk: that are samples, and in all.
        alone: whether samples were given without an axis of their own.
    """
    return [
        _joined(parts, counts, alone=alone)
        for parts in zip(*found, strict=True)
        if all(isinstance(part, np.ndarray) and part.dtype.kind == "f" for part in parts)
    ]


def _joined(
    parts: Sequence[NDArray[Any]], counts: Sequence[tuple[int, int]], *, alone: bool
) -> NDArray[Any]:
    rows = [
        part[:own] if part.ndim and len(part) == fed else part
        for part, (own, fed) in zip(parts, counts, strict=True)
    ]
    if alone and len({part.shape for part in rows}) == 1:
        return np.stack(rows)
    if not alone and len({part.shape[1:] for part in rows}) == 1 and rows[0].ndim:
        return np.concatenate(rows)
    return np.concatenate([part.reshape(-1) for part in rows])

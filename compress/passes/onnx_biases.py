"""The biases of an ONNX graph that a correction may move, and how far; torch_levels.py in numpy.

A bias is a constant that a convolution or Gemm adds, or that an Add puts behind a layer without
one; a BatchNormalization has its mean and variance moved. What a layer is given when it is moved
comes from the layers that were moved before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import BFLOAT16, EditableModel
from compress.passes.onnx_graph import Tensor, Use, attribute, contracted, is_weight, reads
from compress.passes.onnx_segments import Stop

if TYPE_CHECKING:
    from onnx import GraphProto

_MOST = 0.7  # logarithm of what a batch may change a variance by: a channel may be all but dead

Array = NDArray[Any]
Level = NDArray[np.float64]  # of each channel; of a BatchNormalization (2, channels)


@dataclass(frozen=True, slots=True)
class Bias:
    """A constant that is added to each channel of what a layer gives."""

    stop: Stop
    name: str  #: of the constant
    axis: int  #: of the channels, from behind where it is negative
    factor: float = 1.0  #: that the constant is multiplied with

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what may move."""
        return (self.name,)

    def level(self, values: Sequence[Array], vectors: Mapping[str, Array]) -> Level:
        """Return the mean of each channel."""
        count = sum(array.size for array in values)
        sums = [_over(array, self.axis) for array in values]
        return _total(sums) * (len(sums[0]) / max(count, 1))

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
        shift = earlier[number] - one.level(values, self.vectors)
        if not np.isfinite(shift).all():
            return None  # nothing was given, or it overflows
        self.asked[one.names] += n
        shift *= n / self.asked[one.names]
        one.move(shift, self.vectors)
        return one.shifted(values, shift)


def moving(model: EditableModel, tensors: Sequence[Tensor]) -> list[Moving]:
    """Return what a correction may move in a model's main graph, front to back.

    A constant that something else reads, too, is left alone.
    """
    constants = {
        tensor.own: tensor
        for tensor in tensors
        if tensor.is_main
        and tensor.proto.data_type != BFLOAT16  # numpy has no such numbers
        and model.can_change(tensor.place)
    }
    graph = model.proto.graph
    weights = {
        use.index: (tensor, use)
        for tensor in tensors
        for use in tensor.uses
        if use.is_main and is_weight(use)
    }
    found: list[Moving] = [*_biases(graph, constants, weights), *_norms(graph, constants)]
    known = Counter(name for one in found for name in one.names)
    kept = [
        one
        for one in found
        if all(
            len(constants[name].uses) == known[name] and not constants[name].is_output
            for name in one.names
        )
    ]
    return sorted(kept, key=lambda one: (one.stop.at, isinstance(one, BatchNorm)))


def _biases(
    graph: GraphProto,
    constants: Mapping[str, Tensor],
    weights: Mapping[int, tuple[Tensor, Use]],
) -> Iterator[Bias]:
    """Yield the biases of layers, their own and those that an Add puts behind one without."""
    readers: defaultdict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(graph.node):
        for name in reads(node):
            readers[name].append(index)
    outputs = {value.name for value in graph.output}
    for index, (tensor, use) in weights.items():
        node, known = use.node, _channels(tensor, use)
        if known is None or not node.output:
            continue
        channels, axis = known
        if len(node.input) > 2 and node.input[2]:
            factor = attribute(node, "beta", 1.0)
            bias = constants.get(node.input[2])
            if factor and bias is not None and _fits(bias, channels, axis if axis < 0 else -1):
                yield Bias(Stop(node.output[0], index + 1), bias.own, axis, factor)
            continue
        gave = node.output[0]
        if len(readers[gave]) != 1 or gave in outputs:
            continue
        behind = readers[gave][0]
        adds = graph.node[behind]
        if adds.op_type != "Add" or not adds.output:
            continue
        bias = constants.get(next((name for name in adds.input if name != gave), ""))
        rank = len(tensor.proto.dims)  # of a convolution's weight, and of what it gives
        place = axis if axis < 0 else axis - rank
        is_within = axis < 0 or (bias is not None and len(bias.proto.dims) <= rank)
        if bias is not None and is_within and _fits(bias, channels, place):
            yield Bias(Stop(adds.output[0], behind + 1), bias.own, axis)


def _norms(graph: GraphProto, constants: Mapping[str, Tensor]) -> Iterator[BatchNorm]:
    for index, node in enumerate(graph.node):
        is_norm = node.op_type == "BatchNormalization" and len(node.input) == 5
        if not is_norm or attribute(node, "training_mode", 0):
            continue
        given, _, _, mean, variance = node.input
        if mean in constants and variance in constants and given not in constants:
            epsilon = attribute(node, "epsilon", 1e-5)
            yield BatchNorm(Stop(given, index), mean, variance, epsilon)


def _channels(tensor: Tensor, use: Use) -> tuple[int, int] | None:
    """Return how many channels a layer gives, and on which axis; None where a bias is no matter."""
    shape = tuple(tensor.proto.dims)
    is_image = len(shape) > 2 and use.axes == tuple(range(len(shape)))
    match use.node.op_type:
        case "Conv" if is_image:
            return shape[0], 1
        case "ConvTranspose" if is_image:
            return shape[1] * attribute(use.node, "group", 1), 1
        case "MatMul" | "Gemm" if use.slot == 1 and (axis := contracted(use)) is not None:
            return shape[1 - axis], -1
        case _:
            return None


def _fits(bias: Tensor, channels: int, axis: int) -> bool:
    """Return whether a constant has one number for each channel, on the axis from behind."""
    shape = tuple(bias.proto.dims)
    return len(shape) >= -axis and shape[axis] == channels == prod(shape)


def _over(array: Array, axis: int) -> NDArray[np.float64]:
    """Return the sums of all axes but one."""
    others = tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    sums: NDArray[np.float64] = array.sum(axis=others, dtype=np.float64)
    return sums


def _total(sums: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(sums, axis=0)
    return total

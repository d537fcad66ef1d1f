"""What a correction may move in an ONNX graph: constants that layers add, and statistics.

A bias is a constant that a convolution or Gemm adds, or that an Add puts behind a layer without
one. A constant that something else reads, too, is left alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from compress.artifact.editable import BFLOAT16, FLOATS, EditableModel
from compress.passes.behind import Bounds
from compress.passes.onnx_biases import BatchNorm, Bias, Moving
from compress.passes.onnx_graph import Tensor, Use, attribute, contracted, is_weight, reads
from compress.passes.onnx_segments import Stop

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def moving(model: EditableModel, tensors: Sequence[Tensor]) -> list[Moving]:
    """Return what a correction may move in a model's main graph, front to back."""
    search = _Search(model, tensors)
    found: list[Moving] = [*search.biases(), *search.norms()]
    known = Counter(name for one in found for name in one.names)
    kept = [one for one in found if all(search.is_own(name, known[name]) for name in one.names)]
    return sorted(kept, key=lambda one: (one.stop.at, isinstance(one, BatchNorm)))


@dataclass(slots=True)
class _Search:
    """A main graph, with what reads what."""

    model: EditableModel
    tensors: Sequence[Tensor]
    constants: Mapping[str, Tensor] = field(init=False)
    readers: Mapping[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.constants = {
            tensor.own: tensor
            for tensor in self.tensors
            if tensor.is_main
            and tensor.proto.data_type in FLOATS
            and tensor.proto.data_type != BFLOAT16  # numpy has no such numbers
            and self.model.can_change(tensor.place)
        }
        self.readers = defaultdict(list)
        for index, node in enumerate(self.graph.node):
            for name in reads(node):
                self.readers[name].append(index)
        for value in self.graph.output:
            self.readers[value.name].append(-1)

    @property
    def graph(self) -> GraphProto:
        """The main graph."""
        return self.model.proto.graph

    def is_own(self, name: str, times: int) -> bool:
        """Return whether a constant is read so many times and no more."""
        tensor = self.constants[name]
        return len(tensor.uses) == times and not tensor.is_output

    def biases(self) -> Iterator[Bias]:
        """Yield the biases of layers, their own and those that an Add puts behind one without."""
        for tensor in self.tensors:
            for use in tensor.uses:
                known = _channels(tensor, use) if use.is_main and is_weight(use) else None
                if known is None or not use.node.output:
                    continue
                found = self._bias(use, *known, len(tensor.proto.dims))
                if found is not None:
                    yield found

    def norms(self) -> Iterator[BatchNorm]:
        """Yield the BatchNormalizations whose statistics are constants."""
        for index, node in enumerate(self.graph.node):
            is_norm = node.op_type == "BatchNormalization" and len(node.input) == 5
            if not is_norm or attribute(node, "training_mode", 0):
                continue
            given, _, _, mean, variance = node.input
            held = self.constants
            if mean in held and variance in held and given not in held:
                epsilon = attribute(node, "epsilon", 1e-5)
                yield BatchNorm(Stop(given, index), mean, variance, epsilon)

    def _bias(self, use: Use, channels: int, axis: int, rank: int) -> Bias | None:
        """Return the bias of a layer; rank is that of what a convolution gives."""
        node, gave = use.node, use.node.output[0]
        if len(node.input) > 2 and node.input[2]:
            factor, held = attribute(node, "beta", 1.0), self.constants.get(node.input[2])
            if not factor or held is None or not _fits(held, channels, -1):
                return None
            stop = Stop(gave, use.index + 1)
            return Bias(stop, held.own, axis, factor, self._bounds(gave))
        adds = self._only_reader(gave)
        if adds is None or adds.op_type != "Add" or not adds.output:
            return None
        held = self.constants.get(next((name for name in adds.input if name != gave), ""))
        place = axis if axis < 0 else axis - rank
        if held is None or not _fits(held, channels, place):
            return None
        if axis > 0 and len(held.proto.dims) > rank:
            return None
        stop = Stop(adds.output[0], self.readers[gave][0] + 1)
        return Bias(stop, held.own, axis, 1.0, self._bounds(stop.name))

    def _only_reader(self, name: str) -> NodeProto | None:
        """Return the one node that reads a value; None where there are others, or outputs."""
        readers = self.readers.get(name, [])
        return self.graph.node[readers[0]] if len(readers) == 1 and readers[0] >= 0 else None

    def _bounds(self, name: str) -> Bounds | None:
        """Return where the activation cuts that alone reads a value; None where none does."""
        node = self._only_reader(name)
        match node.op_type if node is not None else "":
            case "Relu":
                return 0.0, np.inf
            case "Clip":
                assert node is not None
                low, high = (
                    self._number(node.input[place])
                    if place < len(node.input)
                    else attribute(node, name, other)
                    for place, name, other in ((1, "min", -np.inf), (2, "max", np.inf))
                )
                return None if low is None or high is None else (low, high)
            case _:
                return None

    def _number(self, name: str) -> float | None:
        """Return the number that a constant is."""
        held = self.constants.get(name)
        if held is None:
            return None
        items = self.model.items(held.place)
        return float(items[0]) if len(items) == 1 else None


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

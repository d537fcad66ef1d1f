"""An ONNX graph run from stop to stop, so that what a layer is given or gives can be changed there.

Each segment is a graph of its own with the nodes between two stops. Between them only those values
are held that something behind still reads, so that all of it costs about one run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import EditableModel
from compress.artifact.splice import Path as Place
from compress.errors import DataError
from compress.passes.onnx_graph import reads
from compress.passes.onnx_samples import Chunk
from compress.runtime.graph import open_graph

if TYPE_CHECKING:
    from onnx import NodeProto, ValueInfoProto

    from compress.runtime import Session

Visit = Callable[[int, list[NDArray[Any]]], "list[NDArray[Any]] | None"]


@dataclass(frozen=True, slots=True)
class Stop:
    """A value that is looked at."""

    name: str
    at: int  #: how many of the graph's nodes come before


@dataclass(slots=True)
class _Segment:
    nodes: list[NodeProto]
    inputs: list[str]  #: values from before
    fed: list[str]  #: vectors that may move
    constants: list[tuple[str, Place]]
    outputs: list[str]
    dropped: list[str]  #: values that nothing behind reads
    session: Session | None = None


@dataclass(slots=True)
class Segments:
    """The main graph of a model, cut at stops."""

    model: EditableModel
    stops: Sequence[Stop]  #: in the order of the graph
    constants: Mapping[str, Place]  #: tensors of the main graph by name
    vectors: Mapping[str, NDArray[Any]]  #: constants that may move between runs, as they are now
    peak_bytes: int = 0  #: of values that were held of one chunk
    _segments: list[_Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._segments = self._cut()

    def run(self, chunks: Sequence[Chunk], visit: Visit) -> None:
        """Run all chunks to each stop, in turn.

        Args:
            chunks: of samples.
            visit: is called with the number of a stop and its value in each chunk; where it returns
                others, the graph goes on with those.

        Raises:
            DataError: when a value between two segments is no tensor, or a segment cannot run.
            FormatError: when ONNX Runtime takes no such segment.
        """
        live: list[dict[str, Any]] = [dict(chunk.feeds) for chunk in chunks]
        for number, segment in enumerate(self._segments):
            for values in live:
                self._advance(segment, values)
                held = sum(getattr(value, "nbytes", 0) for value in values.values())
                self.peak_bytes = max(self.peak_bytes, held)
            name = self.stops[number].name
            if not all(isinstance(values.get(name), np.ndarray) for values in live):
                raise DataError(f"{name!r} is no tensor, or not there")
            changed = visit(number, [values[name] for values in live])
            for values, new in zip(live, changed or (), strict=changed is not None):
                values[name] = new
            for values in live:
                for gone in segment.dropped:
                    values.pop(gone, None)

    def _advance(self, segment: _Segment, values: dict[str, Any]) -> None:
        if not segment.nodes:
            return
        for name in segment.inputs:
            if name not in values:
                raise DataError(f"{name!r} is read before it is there")
        feeds = {name: values[name] for name in segment.inputs}
        feeds |= {name: self.vectors[name] for name in segment.fed}
        if segment.session is None:
            segment.session = self._opened(segment, feeds)
        values.update(segment.session.run(feeds))

    def _cut(self) -> list[_Segment]:
        graph = self.model.proto.graph
        needed, wanted = [False] * len(graph.node), {stop.name for stop in self.stops}
        for index in reversed(range(len(graph.node))):
            node = graph.node[index]
            needed[index] = any(n in wanted and n not in self.constants for n in node.output)
            if needed[index]:
                wanted |= reads(node)
        begins = [0, *(stop.at for stop in self.stops)]
        segments: list[_Segment] = []
        later: set[str] = set()  # values that something behind reads
        for stop, begin in reversed(list(zip(self.stops, begins[:-1], strict=True))):
            nodes = [graph.node[i] for i in range(begin, stop.at) if needed[i]]
            inside = {name for node in nodes for name in node.output if name}
            read = set().union(*(reads(node) for node in nodes))
            own = sorted(read - inside)
            segments.append(
                _Segment(
                    nodes,
                    [name for name in own if name not in self.constants],
                    [name for name in own if name in self.vectors],
                    [
                        (name, self.constants[name])
                        for name in own
                        if name in self.constants and name not in self.vectors
                    ],
                    sorted(inside & (later | {stop.name})),
                    sorted((inside | set(own) | {stop.name}) - later),
                )
            )
            later = ((later | {stop.name}) - inside) | (set(own) - self.constants.keys())
        return segments[::-1]

    def _opened(self, segment: _Segment, feeds: Mapping[str, Any]) -> Session:
        from onnx import GraphProto, ModelProto, ValueInfoProto

        whole = self.model.proto
        graph = GraphProto(name="segment", node=segment.nodes)
        graph.input.extend(_value(name, array) for name, array in feeds.items())
        graph.output.extend(ValueInfoProto(name=name) for name in segment.outputs)
        for name, place in segment.constants:
            tensor = self.model.tensor(place)
            tensor.name = name  # a Constant's has none
            graph.initializer.append(tensor)
        model = ModelProto(
            ir_version=whole.ir_version,
            opset_import=whole.opset_import,
            functions=whole.functions,
            graph=graph,
        )
        return open_graph(model.SerializeToString(), str(self.model.path), keeps_memory=False)


def _value(name: str, array: Any) -> ValueInfoProto:  # noqa: ANN401  (what ONNX Runtime gives)
    from onnx import TensorProto, helper

    if not isinstance(array, np.ndarray):
        raise DataError(f"{name!r} is no tensor, so the network cannot be run layer by layer")
    kind = (
        TensorProto.STRING
        if array.dtype == object
        else helper.np_dtype_to_tensor_dtype(array.dtype)
    )
    return helper.make_tensor_value_info(name, kind, [None] * array.ndim)

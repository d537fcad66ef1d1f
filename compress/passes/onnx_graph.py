"""What reads the tensors of an ONNX graph: its layers' weights, and why each other is none.

A tensor reaches a layer as it stands, or through operators that only move values. Subgraphs (of If,
Loop and Scan) have tensors of their own and read those of the graphs around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, TypeVar

from compress.artifact.editable import FLOATS, EditableModel
from compress.artifact.splice import Path as Place
from compress.errors import DataError
from compress.passes.network import Skipped
from compress.passes.targets import Kind

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

_GRAPH, _NODE, _INITIALIZER, _ATTRIBUTE, _TENSOR, _SUBGRAPH, _SUBGRAPHS = 7, 1, 5, 5, 5, 6, 11
_STANDARD = ("", "ai.onnx")
# Operators of which a layer's values come out as they went in.
_MOVES = frozenset(
    {
        "Cast", "Concat", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
# Operator -> inputs that are weights, and the kind of the layer.
_LAYERS: Mapping[str, tuple[tuple[int, ...], Kind]] = {
    "Conv": ((1,), "conv"),
    "ConvTranspose": ((1,), "conv"),
    "DeformConv": ((1,), "conv"),
    "Gemm": ((0, 1), "fc"),
    "MatMul": ((0, 1), "fc"),
    "Gather": ((0,), "embedding"),
    "LSTM": ((1, 2), "rnn"),
    "GRU": ((1, 2), "rnn"),
    "RNN": ((1, 2), "rnn"),
}
_BIASES = {"Conv": 2, "ConvTranspose": 2, "DeformConv": 3, "Gemm": 2, "LSTM": 3, "GRU": 3, "RNN": 3}
_QUANTIZED = frozenset(
    {
        "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulNBits", "MatMulBnb4",
        "GatherBlockQuantized", "QGemm", "QAttention", "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QMoE", "QOrderedMatMul",
    }
)  # fmt: skip
T = TypeVar("T", int, float, str, list[int])

_MIN_BYTES = 64  # of other numbers than floats that are worth a word


@dataclass(frozen=True, slots=True)
class Use:
    """A node that reads a tensor, or what was moved of it."""

    order: int  #: of the node among all
    node: NodeProto
    index: int  #: of the node in its graph
    slot: int  #: of its inputs
    is_main: bool  #: whether it is a node of the main graph
    axes: tuple[int, ...] | None  #: of the tensor, as the node has them; None where that is open
    is_constant: bool  #: whether all that the node reads is

    @property
    def label(self) -> str:
        """What the node is called."""
        domain = "" if self.node.domain in _STANDARD else f"{self.node.domain}."
        return f"{domain}{self.node.op_type}"


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor that stands in a graph: an initializer, or what a Constant gives."""

    name: str  #: with the path of its graph
    own: str  #: in its graph
    place: Place
    proto: TensorProto
    is_main: bool  #: whether it stands in the main graph
    uses: list[Use] = field(default_factory=list)
    is_output: bool = False  #: whether a graph gives it as it is


@dataclass(frozen=True, slots=True)
class Found:
    """A weight."""

    tensor: Tensor
    kind: Kind
    is_transposed: bool  #: stored as (in, out)
    names: frozenset[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape as its layer has it."""
        stored = tuple(self.tensor.proto.dims)
        return stored[::-1] if self.is_transposed else stored

    @property
    def contracted(self) -> int | None:
        """The axis of that shape along which all that read it add up; None where that is open."""
        uses, axes = self.tensor.uses, tuple(range(len(self.shape)))
        if all((use.node.op_type, use.slot, use.axes) == ("Conv", 1, axes) for use in uses):
            return 1
        stored = {contracted(use) for use in uses}
        return 1 if len(stored) == 1 and None not in stored else None


def tensors_of(model: EditableModel) -> list[Tensor]:
    """Return all tensors of a model's graphs, with what reads them."""
    scan = _Scan()
    scan.graph(model.proto.graph, ((_GRAPH, 0),), "", None)
    return scan.tensors


def weights_in(model: EditableModel, tensors: list[Tensor]) -> tuple[list[Found], list[Skipped]]:
    """List the weights front to back, and why each other tensor is none.

    Numbers that are no floats are passed over where they are few: axes and sizes.
    """
    functions = {(function.domain, function.name) for function in model.proto.functions}
    weights: list[tuple[int, Found]] = []
    skipped = []
    for tensor in tensors:
        reason = _not_a_weight(model, tensor, functions)
        if reason is None:
            weights.append(_found(tensor))
        elif not _is_trifle(tensor, reason):
            skipped.append(Skipped(tensor.name, reason))
    skipped += [
        Skipped(sparse.values.name, "it is sparse, not a plain tensor")
        for sparse in model.proto.graph.sparse_initializer
    ]
    weights.sort(key=lambda pair: pair[0])
    return [found for _, found in weights], skipped


def is_weight(use: Use) -> bool:
    """Return whether a node has a tensor for its weight."""
    slots, _ = _LAYERS.get(use.node.op_type, ((), None))
    if use.node.domain not in _STANDARD or use.slot not in slots:
        return False
    if use.node.op_type == "Gather":
        return bool(attribute(use.node, "axis", 0) == 0)
    return not use.is_constant


def contracted(use: Use) -> int | None:
    """Return the axis of a matrix whose numbers a linear layer adds up; None where that is open."""
    if use.axes is None or len(use.axes) != 2:
        return None
    match use.node.op_type, use.slot:
        case "MatMul", slot:
            axis = 1 - slot
        case "Gemm", 0:
            axis = 0 if attribute(use.node, "transA", 0) else 1
        case "Gemm", 1:
            axis = 1 if attribute(use.node, "transB", 0) else 0
        case _:
            return None
    return use.axes[axis]


def attribute(node: NodeProto, name: str, default: T) -> T:
    """Return an attribute of a node, where it is of the kind that its default is."""
    for one in node.attribute:
        if one.name == name:
            found = {
                one.INT: one.i,
                one.FLOAT: one.f,
                one.STRING: one.s.decode(errors="replace"),
                one.INTS: list(one.ints),
            }.get(one.type)
            return found if isinstance(found, type(default)) else default
    return default


def reads(node: NodeProto) -> set[str]:
    """Return the names that a node reads, those of the graphs within it included."""
    names = {name for name in node.input if name}
    for graph in subgraphs(node):
        names |= _free(graph)
    return names


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs within a node."""
    for one in node.attribute:
        if one.type == one.GRAPH:
            yield one.g
        elif one.type == one.GRAPHS:
            yield from one.graphs


def _free(graph: GraphProto) -> set[str]:
    """Return the names that a graph reads and does not define."""
    defined = {value.name for value in graph.input} | {held.name for held in graph.initializer}
    free: set[str] = set()
    for node in graph.node:
        free |= reads(node) - defined
        defined |= set(node.output)
    return free | ({value.name for value in graph.output} - defined)


@dataclass(slots=True)
class _Scope:
    """A graph, and the one around it."""

    around: _Scope | None
    is_main: bool
    sources: dict[str, list[tuple[Tensor, tuple[int, ...] | None]]] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)

    def of(self, name: str) -> list[tuple[Tensor, tuple[int, ...] | None]] | None:
        """Return the tensors whose values a name has, and their axes; None for other values."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.sources:
                return scope.sources[name]
            if name in scope.defined:
                return None
            scope = scope.around
        return None


@dataclass(slots=True)
class _Scan:
    """The graphs of a model, node by node."""

    tensors: list[Tensor] = field(default_factory=list)
    order: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def graph(self, graph: GraphProto, place: Place, path: str, around: _Scope | None) -> None:
        """Take in a graph and those within it."""
        _require_texts(value.name for value in (*graph.input, *graph.output, *graph.initializer))
        scope = _Scope(around, around is None)
        scope.defined |= {value.name for value in graph.input}
        for number, held in enumerate(graph.initializer):
            self._define(scope, held.name, path, (*place, (_INITIALIZER, number)), held)
        for index, node in enumerate(graph.node):
            self._node(node, index, (*place, (_NODE, index)), path, scope)
        for value in graph.output:
            for tensor, _ in scope.of(value.name) or ():
                tensor.is_output = True

    def _node(self, node: NodeProto, index: int, place: Place, path: str, scope: _Scope) -> None:
        _require_texts((node.name, node.op_type, node.domain, *node.input, *node.output))
        order, self.order = self.order, self.order + 1
        scope.defined |= set(node.output)
        for number, one in enumerate(node.attribute):
            inner = (*place, (_ATTRIBUTE, number))
            label = f"{path}{node.name or f'{node.op_type}_{index}'}.{one.name}/"
            _require_texts((one.name,))
            if _is_constant(node) and one.type == one.TENSOR and one.name == "value":
                self._define(scope, node.output[0], path, (*inner, (_TENSOR, 0)), one.t)
            elif one.type == one.GRAPH:
                self.graph(one.g, (*inner, (_SUBGRAPH, 0)), label, scope)
            elif one.type == one.GRAPHS:
                for which, graph in enumerate(one.graphs):
                    self.graph(graph, (*inner, (_SUBGRAPHS, which)), f"{label}{which}/", scope)
        known = [scope.of(name) for name in node.input if name]
        is_constant = all(sources is not None for sources in known)
        moves = node.op_type in _MOVES and node.domain in _STANDARD and is_constant
        for slot, name in enumerate(node.input):
            for tensor, axes in scope.of(name) or ():
                data = slot == 0 or node.op_type == "Concat"
                if not (moves and data and _stays_float(node)):
                    use = Use(order, node, index, slot, scope.is_main, axes, is_constant)
                    tensor.uses.append(use)
        if moves and _stays_float(node):
            kept = node.input if node.op_type == "Concat" else node.input[:1]
            sources = [
                (tensor, _moved(node, axes))
                for name in kept
                for tensor, axes in scope.of(name) or ()
            ]
            scope.sources |= dict.fromkeys(node.output, sources)

    def _define(self, scope: _Scope, own: str, path: str, place: Place, proto: TensorProto) -> None:
        name = path + own
        self.names[name] += 1
        if self.names[name] > 1:
            name = f"{name}#{self.names[name]}"
        tensor = Tensor(name, own, place, proto, scope.is_main)
        self.tensors.append(tensor)
        scope.sources[own] = [(tensor, tuple(range(len(proto.dims))))]
        scope.defined.add(own)


def _require_texts(names: Iterable[str]) -> None:
    """Raise `DataError` for a name that is not UTF-8; protobuf gives it as bytes."""
    for name in names:
        if not isinstance(name, str):
            raise DataError(f"the graph has a name that is not UTF-8: {name!r}")


def _is_constant(node: NodeProto) -> bool:
    return node.op_type == "Constant" and node.domain in _STANDARD and len(node.output) == 1


def _not_a_weight(
    model: EditableModel, tensor: Tensor, functions: set[tuple[str, str]]
) -> str | None:
    """Return why a tensor is no weight, or None when it is one."""
    proto, uses = tensor.proto, tensor.uses
    quantized = next((use for use in uses if _is_quantized(use)), None)
    foreign = next((use for use in uses if use.node.domain not in _STANDARD), None)
    if quantized is not None:
        return f"quantized already: {quantized.label} reads it"
    if proto.data_type not in FLOATS:
        return f"its numbers are {_type_name(proto)}, not floats"
    if foreign is not None:
        called = (foreign.node.domain, foreign.node.op_type) in functions
        what = "a function of the model" if called else "a custom operator"
        return f"{foreign.label} reads it, {what}"
    if not uses and not tensor.is_output:
        return "nothing reads it"
    if tensor.is_output:
        return "it is an output of a graph"
    if all(_BIASES.get(use.node.op_type) == use.slot for use in uses):
        return "a bias"
    if len(proto.dims) < 2:
        return "a vector: too small to matter"
    if not any(map(is_weight, uses)):
        return f"{uses[0].label} reads it, which is no conv, fc, embedding or rnn layer"
    if not prod(proto.dims):
        return "empty"
    if not model.can_change(tensor.place):
        return "its numbers are written in an unusual way; save the model anew with onnx.save"
    return None


def _is_quantized(use: Use) -> bool:
    name = use.node.op_type
    return name in _QUANTIZED or name.startswith("QLinear") or name.endswith("Integer")


def _is_trifle(tensor: Tensor, reason: str) -> bool:
    """Return whether a tensor is too small for anyone to ask for it: an axis, a factor."""
    count = int(prod(tensor.proto.dims))
    if tensor.proto.data_type in FLOATS:
        return count == 1
    return "quantized" not in reason and 8 * count < _MIN_BYTES


def _type_name(proto: TensorProto) -> str:
    from onnx import TensorProto

    known = {number: name for name, number in TensorProto.DataType.items()}
    return str(known.get(proto.data_type, f"of the type {proto.data_type}")).lower()


def _found(tensor: Tensor) -> tuple[int, Found]:
    """Return a weight, and the order of the first layer that reads it."""
    uses = [use for use in tensor.uses if is_weight(use)]
    _, kind = _LAYERS[uses[0].node.op_type]
    is_transposed = all(contracted(use) == 0 for use in tensor.uses)
    module = tensor.name.rpartition(".")[0]
    nodes = {use.node.name for use in uses if use.node.name}
    more = filter(None, [module, tensor.proto.name])
    names = frozenset([tensor.name, tensor.own, *nodes, *more])
    return uses[0].order, Found(tensor, kind, is_transposed, names)


def _stays_float(node: NodeProto) -> bool:
    """Return whether floats are still floats behind an operator that moves values."""
    return node.op_type != "Cast" or attribute(node, "to", 0) in FLOATS


def _moved(node: NodeProto, axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the axes of a tensor behind an operator that moves values."""
    match node.op_type:
        case "Identity" | "Cast":
            return axes
        case "Transpose" if axes is not None:
            order = attribute(node, "perm", list(range(len(axes)))[::-1])
            fits = sorted(order) == list(range(len(axes)))
            return tuple(axes[axis] for axis in order) if fits else None
        case _:
            return None

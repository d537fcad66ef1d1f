"""What an ONNX graph takes, as far as the graph tells: shapes, batch, how many tokens there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from compress.references.subject import Given

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

_FLOATS = (1, 10, 11, 16)  # ONNX's numbers of types of floats
_ANY = int(np.iinfo(np.int64).max)
# Operators that hand integers on.
_HANDS_ON = frozenset(
    {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The inputs of a graph."""

    inputs: tuple[Given, ...]
    batch: int | None  #: the one size of a batch, None for any
    is_alone: bool  #: no axis is of samples in all inputs: shapes are whole


def read(graph: GraphProto) -> Taken:
    """Read the inputs of a graph that no initializer stands for.

    Inputs have samples on their first axis where all have one of the same size, or of an open one.
    """
    weights = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in weights]
    shapes = [_shape(value) for value in values]
    firsts = {shape[0] if shape else -1 for shape in shapes}
    is_alone = len(firsts) > 1 or -1 in firsts
    below = _below(graph, [value.name for value in values])
    inputs = tuple(
        Given(
            value.name,
            shape if is_alone else shape[1:],
            None if value.type.tensor_type.elem_type in _FLOATS else below.get(value.name, _ANY),
        )
        for value, shape in zip(values, shapes, strict=True)
    )
    batch = None if is_alone else next(iter(firsts), None) or None
    return Taken(inputs=inputs, batch=batch, is_alone=is_alone)


def _shape(value: ValueInfoProto) -> tuple[int, ...]:
    """Return the sizes of an input, 0 for one that is open; some writers have -1 for that."""
    return tuple(max(d.dim_value, 0) for d in value.type.tensor_type.shape.dim)


def _below(graph: GraphProto, inputs: Sequence[str]) -> dict[str, int]:
    """Return how many rows the tables have that an input's integers are looked up in."""
    rows = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    origins = {name: name for name in inputs}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].t.dims:
            rows |= dict.fromkeys(node.output, node.attribute[0].t.dims[0])
        elif node.op_type == "Gather" and len(node.input) == 2:
            table, origin = rows.get(node.input[0], 0), origins.get(node.input[1])
            if origin is not None and table > 0:
                found[origin] = min(found.get(origin, _ANY), table)
        elif node.op_type in _HANDS_ON and node.input and node.input[0] in origins:
            origins |= dict.fromkeys(node.output, origins[node.input[0]])
    return found

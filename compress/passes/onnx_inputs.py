"""What the layers of an ONNX graph are given: sums of outer products, as the passes take them.

The places of an image that are looked at are those of torch_moments.py, so that a network has the
same sums whether torch or ONNX Runtime runs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.passes.inputs import BLOCK, PLACES, ROWS
from compress.passes.network import Moments
from compress.passes.onnx_graph import Found, Use, attribute, contracted

if TYPE_CHECKING:
    from onnx import NodeProto

_LEAST = np.float32(1e-6)  # size of a token

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """A call of a layer whose weight is multiplied with what it is given."""

    name: str  #: of the weight
    use: Use
    inputs: int  #: that a row of the weight is multiplied with
    kernel: tuple[int, ...] | None = None  #: of a convolution

    @property
    def given(self) -> str:
        """The name of what it is given."""
        return str(self.use.node.input[1 - self.use.slot])


def layers_of(weights: Sequence[Found]) -> list[Layer]:
    """Return the calls of linear and (1-d, 2-d) convolution layers, in the order of the graph.

    Weights that other layers read, too, or nodes of subgraphs, have none.
    """
    layers = []
    for found in weights:
        uses = found.tensor.uses
        if uses and all(_is_conv(found, use) for use in uses):
            inputs, kernel = math.prod(found.shape[1:]), found.shape[2:]
            layers += [Layer(found.tensor.name, use, inputs, kernel) for use in uses]
        elif uses and _are_linear(found):
            layers += [Layer(found.tensor.name, use, found.shape[1]) for use in uses]
    return sorted(layers, key=lambda layer: layer.use.order)


def add(sums: dict[str, Moments], layer: Layer, given: Array, skipped: int) -> None:
    """Add what a layer is given to the sums of its weight.

    Args:
        sums: by the weight's name.
        layer: the call.
        given: what it is given, for some samples.
        skipped: samples of the batch that came before these.
    """
    values = given.astype(np.float32, copy=False)
    if layer.kernel is not None:
        columns = _of_convolution(layer.use.node, layer.kernel, values)
    else:
        columns = _of_linear(layer.use, values, skipped)
    if not columns.size:
        return
    n = columns.shape[1]
    if n != layer.inputs:
        raise DataError(f"{layer.name} takes {layer.inputs} inputs, and is given {n}")
    parts = [columns[:, at : at + BLOCK] for at in range(0, n, BLOCK)]
    with np.errstate(over="ignore", invalid="ignore"):  # such inputs are told by their sums
        products = [np.matmul(part, part.swapaxes(1, 2)).astype(np.float64) for part in parts]
    held = sums.get(layer.name)
    if held is None:
        sums[layer.name] = Moments(products, columns.shape[2])
        return
    for block, product in zip(held.blocks, products, strict=True):
        block += product
    held.places += columns.shape[2]


def _is_conv(found: Found, use: Use) -> bool:
    """Return whether a use of a weight is a 1-d or 2-d convolution like the first one."""
    shape, node = tuple(found.tensor.proto.dims), use.node
    dims, first = len(shape) - 2, found.tensor.uses[0].node
    groups = attribute(node, "group", 1)
    return (
        use.is_main
        and (node.op_type, use.slot) == ("Conv", 1)
        and use.axes == tuple(range(len(shape)))
        and dims in (1, 2)
        and groups > 0
        and shape[0] % groups == 0
        and groups == attribute(first, "group", 1)
        and len(_per_axis(node, "strides", dims)) == len(_per_axis(node, "dilations", dims)) == dims
        and min(*_per_axis(node, "strides", dims), *_per_axis(node, "dilations", dims)) > 0
        and len(attribute(node, "pads", [0, 0] * dims)) == 2 * dims
        and min(attribute(node, "pads", [0])) >= 0
    )


def _per_axis(node: NodeProto, name: str, dims: int) -> list[int]:
    return attribute(node, name, [1] * dims)


def _are_linear(found: Found) -> bool:
    uses = found.tensor.uses
    axes = {contracted(use) for use in uses}
    return all(use.is_main for use in uses) and len(axes) == 1 and None not in axes


def _of_linear(use: Use, given: Array, skipped: int) -> Array:
    """Return what a row of the weight is multiplied with, shape `(1, n, places)`."""
    if use.node.op_type == "MatMul":
        swapped = use.slot == 0
    else:
        swapped = bool(attribute(use.node, "transB" if use.slot == 0 else "transA", 0))
        swapped ^= use.slot == 0
    values = given.swapaxes(-1, -2) if swapped and given.ndim > 1 else given
    if values.ndim == 3 and not swapped:
        values = values / size_of(values)
    rows = values.reshape(-1, values.shape[-1])
    of_one = len(rows) // max(len(given), 1)
    step = max(of_one // ROWS, 1)
    first = -(skipped * of_one) % step
    return np.ascontiguousarray(rows[first::step].T)[None]


def size_of(tokens: Array) -> Array:
    """Return the size of each token, shape `(..., 1)`; see `torch_tokens`, why it counts."""
    with np.errstate(over="ignore"):
        squares = np.square(tokens, dtype=np.float32).mean(-1, keepdims=True)
    sizes: Array = np.sqrt(squares).clip(min=_LEAST)
    return sizes


def _of_convolution(node: NodeProto, kernel: tuple[int, ...], given: Array) -> Array:
    """Return what a row of the weight is multiplied with, shape `(groups, n, places)`."""
    dims = len(kernel)
    if given.ndim != dims + 2:
        raise DataError(f"a convolution in {dims} dimensions is given {given.ndim - 2}")
    strides, dilations = (_per_axis(node, name, dims) for name in ("strides", "dilations"))
    groups = attribute(node, "group", 1)
    padded = np.pad(given, [(0, 0), (0, 0), *_padding(node, kernel, given.shape[2:])])
    spread = [dilation * (k - 1) + 1 for dilation, k in zip(dilations, kernel, strict=True)]
    places = [
        1 + (size - s) // step
        for size, s, step in zip(padded.shape[2:], spread, strides, strict=True)
    ]
    if min(places) < 1 or not len(given) or given.shape[1] % groups:
        return np.empty((groups, 0, 0), np.float32)
    skip = max(int((math.prod(places) / PLACES) ** (1 / dims)), 1)
    steps = [skip * step for step in strides]
    chosen = [-(-n // skip) for n in places]
    out = np.empty((given.shape[1], math.prod(kernel), len(given), *chosen), np.float32)
    for number, offsets in enumerate(np.ndindex(*kernel)):
        begins = [offset * dilation for offset, dilation in zip(offsets, dilations, strict=True)]
        along = (
            slice(begin, begin + (n - 1) * step + 1, step)
            for begin, n, step in zip(begins, chosen, steps, strict=True)
        )
        out[:, number] = padded[(slice(None), slice(None), *along)].swapaxes(0, 1)
    return out.reshape(groups, out.shape[0] // groups * out.shape[1], -1)


def _padding(
    node: NodeProto, kernel: tuple[int, ...], sizes: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the zeros before and behind each axis of an image."""
    dims = len(sizes)
    strides, dilations = (_per_axis(node, name, dims) for name in ("strides", "dilations"))
    how = attribute(node, "auto_pad", "NOTSET")
    if how in ("NOTSET", "VALID"):
        pads = attribute(node, "pads", [0] * 2 * dims) if how == "NOTSET" else [0] * 2 * dims
        return list(zip(pads[:dims], pads[dims:], strict=True))
    padding = []
    for size, k, step, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // step) - 1) * step + dilation * (k - 1) + 1 - size, 0)
        less, more = total // 2, total - total // 2
        padding.append((less, more) if how == "SAME_UPPER" else (more, less))
    return padding

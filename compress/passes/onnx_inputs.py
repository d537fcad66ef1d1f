"""What the layers of an ONNX graph are given: sums of outer products, as the passes take them.

The places of an image that are looked at are those of torch_moments.py, so that a network has the
same sums whether torch or ONNX Runtime runs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.passes.inputs import BLOCK, PLACES
from compress.passes.network import Moments
from compress.passes.onnx_graph import Found, Use, attribute, contracted

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """A call of a layer whose weight is multiplied with what it is given."""

    name: str  #: of the weight
    use: Use
    kernel: tuple[int, ...]  #: of a convolution

    @property
    def given(self) -> str:
        """The name of what it is given."""
        return str(self.use.node.input[0 if self.is_conv else 1 - self.use.slot])

    @property
    def is_conv(self) -> bool:
        """Whether it is a convolution."""
        return str(self.use.node.op_type) == "Conv"


def layers_of(weights: Sequence[Found]) -> list[Layer]:
    """Return the calls of linear and (1-d, 2-d) convolution layers, in the order of the graph.

    Weights that other layers read, too, or nodes of subgraphs, have none.
    """
    layers = []
    for found in weights:
        uses = found.tensor.uses
        if uses and (all(_is_conv(found, use) for use in uses) or _are_linear(found)):
            kernel = found.shape[2:]
            layers += [Layer(found.tensor.name, use, kernel) for use in uses]
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
    if layer.is_conv:
        columns = _of_convolution(layer, values)
    else:
        columns = _of_linear(layer.use, values, skipped)
    if not columns.size:
        return
    n = columns.shape[1]
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
    shape = tuple(found.tensor.proto.dims)
    return (
        use.is_main
        and use.node.op_type == "Conv"
        and use.slot == 1
        and use.axes == tuple(range(len(shape)))
        and len(shape) in (3, 4)
        and shape[0] % attribute(use.node, "group", 1) == 0
        and attribute(use.node, "group", 1) == attribute(found.tensor.uses[0].node, "group", 1)
    )


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
    rows = values.reshape(-1, values.shape[-1])
    of_one = len(rows) // max(len(given), 1)
    step = max(of_one // PLACES, 1)
    first = -(skipped * of_one) % step
    return np.ascontiguousarray(rows[first::step].T)[None]


def _of_convolution(layer: Layer, given: Array) -> Array:
    """Return what a row of the weight is multiplied with, shape `(groups, n, places)`."""
    node, kernel = layer.use.node, layer.kernel
    dims = len(kernel)
    strides = attribute(node, "strides", [1] * dims)
    dilations = attribute(node, "dilations", [1] * dims)
    groups = attribute(node, "group", 1)
    padded = np.pad(given, [(0, 0), (0, 0), *_padding(layer, given.shape[2:], strides, dilations)])
    spread = [dilation * (k - 1) + 1 for dilation, k in zip(dilations, kernel, strict=True)]
    places = [
        1 + (size - s) // step
        for size, s, step in zip(padded.shape[2:], spread, strides, strict=True)
    ]
    if min(places) < 1 or not len(given):
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
    layer: Layer, sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the zeros before and behind each axis of an image."""
    node, dims = layer.use.node, len(sizes)
    how = attribute(node, "auto_pad", "NOTSET")
    if how in ("NOTSET", "VALID"):
        pads = attribute(node, "pads", [0] * 2 * dims) if how == "NOTSET" else [0] * 2 * dims
        return list(zip(pads[:dims], pads[dims:], strict=True))
    padding = []
    for size, k, step, dilation in zip(sizes, layer.kernel, strides, dilations, strict=True):
        total = max((-(-size // step) - 1) * step + dilation * (k - 1) + 1 - size, 0)
        less, more = total // 2, total - total // 2
        padding.append((less, more) if how == "SAME_UPPER" else (more, less))
    return padding

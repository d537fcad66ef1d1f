"""Numbers of an ONNX tensor in its own type, and as the float32 that passes work on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import BFLOAT16, FLOATS
from compress.passes.network import Values

Items = NDArray[Any]


def to_float32(items: Items, data_type: int) -> Values:
    """Return the numbers of a tensor.

    Args:
        items: in the tensor's own type; bfloat16 as its bits.
        data_type: of ONNX, one of `FLOATS`.

    >>> to_float32(np.uint16([0x3F80, 0xC000]), BFLOAT16)
    array([ 1., -2.], dtype=float32)
    """
    if data_type == BFLOAT16:
        return (items.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # a float64 that float32 does not reach: passes refuse it
        return items.astype(np.float32)


def from_float32(values: Values, data_type: int) -> Items:
    """Return numbers in a tensor's own type, rounded to the nearest; bfloat16 as its bits.

    >>> from_float32(np.float32([1, -2, 1.00390625]), BFLOAT16).tolist()
    [16256, 49152, 16256]
    """
    if data_type != BFLOAT16:
        with np.errstate(over="ignore"):
            return values.astype(FLOATS[data_type])
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> 16) & 1  # half way between two, the even one
    return ((bits + 0x7FFF + odd) >> 16).astype(np.uint16)

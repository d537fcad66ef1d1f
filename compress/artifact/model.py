"""An ONNX model taken apart into its graph and its tensors' data, and put together again.

Every TensorProto counts, wherever it stands: initializers, attributes of nodes, subgraphs,
functions, sparse tensors. Data of `MIN_BYTES` or more is taken out; the rest, strings included,
stays in the graph. Putting the data back gives an equal ModelProto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.values import Item, Items
from compress.errors import FormatError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import TensorProto

MIN_BYTES = 64  # smaller data stays in the graph, where the graph's own coding holds it
_MAX_RANK = 64  # axes of a tensor whose data is taken out

# ONNX data type -> (bits an element, item that is coded). Types of less than a byte are packed.
_FLOAT16, _FLOAT32, _FLOAT64 = Item(2, True), Item(4, True), Item(8, True)
_INT8, _INT16, _INT32, _INT64 = Item(1, False), Item(2, False), Item(4, False), Item(8, False)
_TYPES: dict[int, tuple[int, Item]] = {
    1: (32, _FLOAT32),  # FLOAT
    2: (8, _INT8),  # UINT8
    3: (8, _INT8),  # INT8
    4: (16, _INT16),  # UINT16
    5: (16, _INT16),  # INT16
    6: (32, _INT32),  # INT32
    7: (64, _INT64),  # INT64
    9: (8, _INT8),  # BOOL
    10: (16, _FLOAT16),  # FLOAT16
    11: (64, _FLOAT64),  # DOUBLE
    12: (32, _INT32),  # UINT32
    13: (64, _INT64),  # UINT64
    14: (64, _FLOAT32),  # COMPLEX64: two floats an element
    15: (128, _FLOAT64),  # COMPLEX128
    16: (16, _FLOAT16),  # BFLOAT16
    17: (8, _INT8),  # FLOAT8E4M3FN
    18: (8, _INT8),  # FLOAT8E4M3FNUZ
    19: (8, _INT8),  # FLOAT8E5M2
    20: (8, _INT8),  # FLOAT8E5M2FNUZ
    21: (4, _INT8),  # UINT4
    22: (4, _INT8),  # INT4
    23: (4, _INT8),  # FLOAT4E2M1
    24: (8, _INT8),  # FLOAT8E8M0
    25: (2, _INT8),  # UINT2
    26: (2, _INT8),  # INT2
    27: (6, _INT8),  # FLOAT6E2M3
    28: (6, _INT8),  # FLOAT6E3M2
}
# Fields that hold data other than as raw bytes -> their type on the wire.
_FIELDS = {
    "float_data": "<f4",
    "int32_data": "<i4",
    "int64_data": "<i8",
    "double_data": "<f8",
    "uint64_data": "<u8",
}
# The type of the elements where a field is wider than they are: (field, ONNX type) -> dtype.
_NARROW = {
    ("int32_data", 2): "<u1",
    ("int32_data", 3): "<i1",
    ("int32_data", 4): "<u2",
    ("int32_data", 5): "<i2",
    ("int32_data", 9): "<u1",
    ("int32_data", 10): "<u2",
    ("int32_data", 16): "<u2",
    ("uint64_data", 12): "<u4",
    **{("int32_data", kind): "<u1" for kind in range(17, 27)},
}
_MARK = "compress.field"  # names the field that a tensor's data goes back to, if not raw_data


@dataclass(frozen=True, slots=True)
class Layout:
    """What a tensor without its data tells of the data."""

    name: str  #: empty where the graph's bytes are not UTF-8
    shape: tuple[int, ...]
    item: Item
    count: int  #: items

    @property
    def n_bytes(self) -> int:
        """Bytes of the data."""
        return self.count * self.item.width


def take_data(tensor: TensorProto) -> tuple[Layout, Items] | None:
    """Take a tensor's data out of it; None (and no change) where it stays in the graph."""
    if missing(tensor) is not None:
        raise FormatError(f"the tensor {tensor.name!r} has no data")
    layout, held = layout_of(tensor), _held(tensor)
    if layout is None or len(held) != 1 or tensor.external_data:
        return None
    if held != ["raw_data"]:
        return _take_field(tensor, held[0], layout)
    data = np.frombuffer(tensor.raw_data, np.uint8)
    if len(data) != layout.n_bytes:
        return None
    tensor.ClearField("raw_data")
    return layout, data.view(layout.item.dtype)


def put_data(tensor: TensorProto, data: bytes) -> None:
    """Put data back where `take_data` took it from."""
    if not tensor.external_data:
        tensor.raw_data = data
        return
    field = tensor.external_data[0].value
    elements = np.frombuffer(data, _narrow(tensor, field))
    getattr(tensor, field).extend(elements.astype(_FIELDS[field]).tolist())
    tensor.ClearField("external_data")


def refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Make a tensor say that its data lie in a file beside the model."""
    tensor.ClearField("raw_data")
    tensor.ClearField("external_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def take_in(tensor: TensorProto, data: bytes) -> None:
    """Make a tensor hold the data that it referred to."""
    bring(tensor)
    tensor.raw_data = data


def bring(tensor: TensorProto) -> None:
    """Make a tensor forget that its data lie in a file beside the model."""
    tensor.ClearField("data_location")
    tensor.ClearField("external_data")


def missing(tensor: TensorProto) -> Layout | None:
    """Return the layout of a tensor whose data was taken; None where nothing is missing."""
    if tensor.data_location == tensor.EXTERNAL:
        raise FormatError(f"the data of the tensor {tensor.name!r} lie in another file")
    layout = layout_of(tensor)
    if layout is None or _held(tensor):
        return None
    if tensor.external_data:
        entry = tensor.external_data[0]
        if entry.key != _MARK or entry.value not in _FIELDS:
            return None
        if layout.n_bytes % _narrow(tensor, entry.value).itemsize:
            raise FormatError(f"the data of the tensor {tensor.name!r} do not fit {entry.value}")
    return layout


def layout_of(tensor: TensorProto) -> Layout | None:
    """Return the layout of data that is large enough to be coded apart, else None."""
    if tensor.data_type not in _TYPES or len(tensor.dims) > _MAX_RANK:
        return None
    bits, item = _TYPES[tensor.data_type]
    n_bytes = -(-prod(tensor.dims) * bits // 8)
    if min(tensor.dims, default=1) < 1 or n_bytes < MIN_BYTES:
        return None
    name = tensor.name if isinstance(tensor.name, str) else ""
    return Layout(name, tuple(tensor.dims), item, n_bytes // item.width)


def n_bits(tensor: TensorProto) -> int:
    """Return the bits of all elements of a tensor; -1 where it has none of a known type."""
    if tensor.data_type not in _TYPES or min(tensor.dims, default=1) < 0:
        return -1
    bits, _ = _TYPES[tensor.data_type]
    return int(prod(tensor.dims)) * bits


def tensors(message: Message) -> Iterator[TensorProto]:
    """Yield every TensorProto in a message, in the order of field numbers and elements."""
    from onnx import TensorProto

    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from tensors(part)


def _held(tensor: TensorProto) -> list[str]:
    """Return the names of the fields that hold data."""
    typed = [field for field in _FIELDS if getattr(tensor, field)]
    return ["raw_data", *typed] if tensor.HasField("raw_data") else typed


def _narrow(tensor: TensorProto, field: str) -> np.dtype[Any]:
    """Return the type of the elements that a field holds, perhaps in more bytes than they need."""
    return np.dtype(_NARROW.get((field, tensor.data_type), _FIELDS[field]))


def _take_field(tensor: TensorProto, field: str, layout: Layout) -> tuple[Layout, Items] | None:
    stored: NDArray[Any] = np.array(getattr(tensor, field), _FIELDS[field])
    elements = stored.astype(_narrow(tensor, field))
    # A NaN is unequal, too, and stays: on its way through Python's floats its payload may change.
    if elements.nbytes != layout.n_bytes or (elements.astype(stored.dtype) != stored).any():
        return None
    tensor.ClearField(field)
    tensor.external_data.add(key=_MARK, value=field)
    return layout, elements.view(layout.item.dtype)

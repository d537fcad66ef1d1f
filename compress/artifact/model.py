"""An ONNX model taken apart into its graph and its tensors' data, and put together again.

Every TensorProto counts, wherever it stands: initializers, attributes of nodes, subgraphs,
functions, sparse tensors. Data of `MIN_BYTES` or more is taken out; the rest, strings included,
stays in the graph. Putting the data back gives an equal ModelProto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.tensors import Item, Items
from compress.errors import DataError, FormatError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto, TensorProto

MIN_BYTES = 64  # smaller data stays in the graph, where the graph's own coding holds it

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

    name: str
    shape: tuple[int, ...]
    item: Item
    count: int  #: items


def load_onnx(path: Path) -> ModelProto:
    """Read an ONNX file and its external data; raise `DataError` where it is none."""
    import onnx  # noqa: PLC0415

    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        return onnx.load(path)
    except Exception as error:  # noqa: BLE001  # protobuf, checker and file errors share no base
        raise DataError(f"{path} is not a readable ONNX model: {_first_line(error)}") from error


def take_data(tensor: TensorProto) -> Items | None:
    """Take a tensor's data out of it; None (and no change) where it stays in the graph."""
    layout = _layout(tensor)
    if layout is None or tensor.external_data:
        return None
    if tensor.raw_data:
        data = np.frombuffer(tensor.raw_data, np.uint8)
        if len(data) != layout.count * layout.item.width:
            return None
        tensor.ClearField("raw_data")
        return data.view(layout.item.dtype)
    for field, wire in _FIELDS.items():
        if getattr(tensor, field):
            return _take_field(tensor, field, wire, layout)
    raise FormatError(f"the tensor {tensor.name!r} has no data")


def put_data(tensor: TensorProto, data: bytes) -> None:
    """Put data back where `take_data` took it from."""
    if not tensor.external_data:
        tensor.raw_data = data
        return
    field = tensor.external_data[0].value
    wire = _FIELDS[field]
    elements = np.frombuffer(data, _NARROW.get((field, tensor.data_type), wire))
    getattr(tensor, field).extend(elements.astype(wire).tolist())
    tensor.ClearField("external_data")


def missing(tensor: TensorProto) -> Layout | None:
    """Return the layout of a tensor whose data was taken; None where nothing is missing."""
    layout = _layout(tensor)
    if layout is None or tensor.raw_data or tensor.data_location:
        return None
    if tensor.external_data:
        entry = tensor.external_data[0]
        return layout if entry.key == _MARK and entry.value in _FIELDS else None
    return None if any(getattr(tensor, field) for field in _FIELDS) else layout


def tensors(message: Message) -> Iterator[TensorProto]:
    """Yield every TensorProto in a message, in the order of fields and elements."""
    from onnx import TensorProto  # noqa: PLC0415

    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if _is_repeated(field, value) else (value,):
                yield from tensors(part)


def _is_repeated(field: Any, value: object) -> bool:
    return not hasattr(value, "ListFields")


def _layout(tensor: TensorProto) -> Layout | None:
    """Return the layout of data that is large enough to be coded apart, else None."""
    if tensor.data_type not in _TYPES or any(size <= 0 for size in tensor.dims):
        return None
    bits, item = _TYPES[tensor.data_type]
    n_bytes = -(-prod(tensor.dims) * bits // 8)
    if n_bytes < MIN_BYTES:
        return None
    return Layout(tensor.name, tuple(tensor.dims), item, n_bytes // item.width)


def _take_field(tensor: TensorProto, field: str, wire: str, layout: Layout) -> Items | None:
    stored: NDArray[Any] = np.array(getattr(tensor, field), wire)
    elements = stored.astype(_NARROW.get((field, tensor.data_type), wire))
    fits = elements.nbytes == layout.count * layout.item.width
    if not fits or (elements.astype(wire).tobytes() != stored.tobytes()):
        return None
    tensor.ClearField(field)  # type: ignore[arg-type]  # one of _FIELDS, all known to ONNX
    tensor.external_data.add(key=_MARK, value=field)
    return elements.view(layout.item.dtype)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

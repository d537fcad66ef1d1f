"""Where the data of tensors stand in a serialized message, whoever wrote it.

protobuf allows many writings of one message: fields in any order, padded numbers, a message in two
pieces. So the bytes are walked along the schema, and what is found are places, not values.
Source: protobuf's encoding, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_VARINT, _FIXED64, _DELIMITED, _GROUP, _GROUP_END, _FIXED32 = range(6)  # types on the wire
_MAX_SHIFT = 63
_MAX_DEPTH = 100  # as protobuf's own readers have it
_TENSOR = "onnx.TensorProto"
_DATA_FIELDS = (4, 9, 10)  # float_data, raw_data, double_data: their bytes are those of the items


def payloads(
    data: bytes | mmap, at: int, end: int, kind: Descriptor, min_bytes: int, depth: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield where the data of a tensor may stand in a message, and how many bytes they are.

    Args:
        data: the bytes around.
        at: where the message begins.
        end: where it ends.
        kind: of the message.
        min_bytes: of data that are worth it.
        depth: of the message.
    """
    fields = kind.fields_by_number
    is_tensor = kind.full_name == _TENSOR
    while at < end:
        tag, at = _number(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _, at = _number(data, at)
        elif wire == _DELIMITED:
            size, at = _number(data, at)
            if at + size > end:
                return
            field = fields.get(number)
            if is_tensor and number in _DATA_FIELDS:
                if size >= min_bytes:
                    yield at, size
            elif field is not None and field.message_type is not None and depth < _MAX_DEPTH:
                inner = field.message_type
                yield from payloads(data, at, at + size, inner, min_bytes, depth + 1)
            at += size
        elif wire == _FIXED32:
            at += 4
        elif wire == _FIXED64:
            at += 8
        elif wire not in (_GROUP, _GROUP_END):  # of unknown fields: what is inside is skipped, too
            return


def _number(data: bytes | mmap, at: int) -> tuple[int, int]:
    """Return the number at a place, and where it ends."""
    value = 0
    for shift in range(0, _MAX_SHIFT + 1, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, at

"""Where the data of tensors stand in a serialized message, whoever wrote it.

protobuf allows many writings of one message: fields in any order, padded numbers, a message in two
pieces. So the bytes are walked along the schema, and what is found are places, not values.
Source: protobuf's encoding, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_VARINT, _FIXED64, DELIMITED, _GROUP, _GROUP_END, _FIXED32 = range(6)  # types on the wire
_MAX_SHIFT = 63
_MAX_DEPTH = 100  # as protobuf's own readers have it
_TENSOR = "onnx.TensorProto"
_DATA_FIELDS = (4, 9, 10)  # float_data, raw_data, double_data: their bytes are those of the items


class Field(NamedTuple):
    """A field of a message, as it stands there."""

    number: int
    wire: int  #: its type on the wire
    at: int  #: where what follows its tag begins: of a delimited one, the length
    begin: int  #: of what it holds
    end: int


def fields(data: bytes | mmap, at: int, end: int) -> Iterator[Field]:
    """Yield the fields of a message in their order; what is inside of groups stands for itself.

    Args:
        data: the bytes around.
        at: where the message begins.
        end: where it ends.
    """
    while at < end:
        tag, begin = _number(data, at)
        number, wire, at = tag >> 3, tag & 7, begin
        if wire == _VARINT:
            _, at = _number(data, at)
        elif wire == DELIMITED:
            size, begin_of = _number(data, at)
            at = begin_of + size
            if at > end:
                return
            yield Field(number, wire, begin, begin_of, at)
            continue
        elif wire == _FIXED32:
            at += 4
        elif wire == _FIXED64:
            at += 8
        elif wire not in (_GROUP, _GROUP_END):  # of unknown fields: what is inside is skipped, too
            return
        yield Field(number, wire, begin, begin, at)


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
    known = kind.fields_by_number
    is_tensor = kind.full_name == _TENSOR
    for field in fields(data, at, end):
        if field.wire != DELIMITED:
            continue
        about = known.get(field.number)
        if is_tensor and field.number in _DATA_FIELDS:
            if field.end - field.begin >= min_bytes:
                yield field.begin, field.end - field.begin
        elif about is not None and about.message_type is not None and depth < _MAX_DEPTH:
            inner = about.message_type
            yield from payloads(data, field.begin, field.end, inner, min_bytes, depth + 1)


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

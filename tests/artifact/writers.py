"""The same message as other protobuf writers write it: each way parses to an equal model."""

from __future__ import annotations

import struct

from google.protobuf.descriptor import FieldDescriptor as Field

WAYS = ("reversed", "padded", "unpacked", "packed", "in pieces", "unknown")

_FIXED = {Field.TYPE_FLOAT: 4, Field.TYPE_DOUBLE: 8}
_TEXTS = (Field.TYPE_STRING, Field.TYPE_BYTES)


def written(message, way: str) -> bytes:
    """Return a message as a writer of this way writes it.

    Args:
        message: what is written.
        way: reversed: fields in descending order; padded: lengths of five bytes; unpacked and
            packed: repeated numbers one by one or together, whatever the schema says; in pieces:
            a message field twice, each with half of its fields; unknown: with a field of a newer
            schema.
    """
    fields = [(field, value) for field, value in message.ListFields()]
    if way == "reversed":
        fields.reverse()
    parts = [part for field, value in fields for part in _field(field, value, way)]
    if way == "unknown":
        parts.append(_varint(2000 << 3) + b"\5")
    return b"".join(parts)


def _field(field, value, way):
    values = list(value) if field.is_repeated else [value]
    if field.message_type is not None:
        for one in values:
            pieces = [written(one, way)]
            if way == "in pieces" and not field.is_repeated:
                pieces = [_some(one, 0, way), _some(one, 1, way)]
            yield from (_delimited(field.number, piece, way) for piece in pieces)
    elif field.type in _TEXTS:
        for one in values:
            data = one.encode() if isinstance(one, str) else one
            yield _delimited(field.number, data, way)
    elif field.is_repeated and (field.is_packed or way == "packed") and way != "unpacked":
        yield _delimited(field.number, b"".join(_number(field, one) for one in values), way)
    else:
        wire = {4: 5, 8: 1}.get(_FIXED.get(field.type), 0)
        for one in values:
            yield _varint(field.number << 3 | wire) + _number(field, one)


def _some(message, which, way):
    """Return every other field of a message."""
    fields = message.ListFields()[which::2]
    return b"".join(part for field, value in fields for part in _field(field, value, way))


def _number(field, value):
    if field.type in _FIXED:
        return struct.pack("<f" if _FIXED[field.type] == 4 else "<d", value)
    return _varint(int(value) % (1 << 64))


def _delimited(number, data, way):
    size = _varint(len(data))
    if way == "padded":
        size = bytes(len(data) >> 7 * i & 127 | 128 for i in range(4)) + bytes([len(data) >> 28])
    return _varint(number << 3 | 2) + size + data


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])

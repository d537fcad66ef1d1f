"""Writing an ONNX file tensor by tensor, so that no second copy of the weights is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress import files
from compress.artifact.model import refer
from compress.codecs.cursor import varint

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto

_NAME_DIGITS = 16  # of a digest, in a file's name
_LIMIT = (1 << 31) - (1 << 20)  # bytes: a protobuf message is smaller than 2 GiB
# Fields of the wire format, by number; see onnx.proto.
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW_DATA = 7, 5, 9


@dataclass(frozen=True, slots=True)
class RawData:
    """The data of an initializer that is not in memory yet."""

    n_bytes: int
    get: Callable[[], bytes | memoryview]


def write(path: Path, model: ModelProto, data: Mapping[int, RawData]) -> None:
    """Write a model whose initializers get their raw data one at a time.

    The file has the very bytes that protobuf's own serialization of the full model would have. A
    model of 2 GiB or more keeps the data in a second file, whose name is that of `path`, a digest
    of the data, and ".data".

    Args:
        path: the file, written whole or not at all.
        model: initializers that `data` names have none of their own; it is left as it is.
        data: by the number of an initializer; asked for twice where there are two files.

    Raises:
        OutputError: when the file cannot be written.
    """
    if model.ByteSize() + sum(raw.n_bytes for raw in data.values()) < _LIMIT:
        _write_whole(path, model, data)
    else:
        _write_beside(path, model, data)


def data_beside(path: Path) -> list[Path]:
    """Return the files of data that `write` has made beside a model; none up to 2 GiB."""
    ending = re.compile(re.escape(path.name) + rf"\.[0-9a-f]{{{_NAME_DIGITS}}}\.data")
    with suppress(OSError):
        return sorted(file for file in path.parent.iterdir() if ending.fullmatch(file.name))
    return []


def _write_whole(path: Path, model: ModelProto, data: Mapping[int, RawData]) -> None:
    before_graph, after_graph = _split(model, _MODEL_GRAPH)
    before, after = _split(model.graph, _GRAPH_INITIALIZER)
    parts: list[tuple[bytes, RawData, bytes]] = []  # a tensor's bytes before, in and after raw_data
    for number, tensor in enumerate(model.graph.initializer):
        raw = data.get(number, RawData(0, bytes))
        head, tail = tensor.SerializeToString(), b""
        if number in data:
            head, tail = _split(tensor, _TENSOR_RAW_DATA)
            head += _field(_TENSOR_RAW_DATA, raw.n_bytes)
        head = _field(_GRAPH_INITIALIZER, len(head) + raw.n_bytes + len(tail)) + head
        parts.append((head, raw, tail))
    size = sum(len(head) + raw.n_bytes + len(tail) for head, raw, tail in parts)
    with files.writing(path) as stream:
        stream.write(before_graph)
        stream.write(_field(_MODEL_GRAPH, len(before) + size + len(after)) + before)
        for head, raw, tail in parts:
            stream.write(head)
            stream.write(raw.get())
            stream.write(tail)
        stream.write(after + after_graph)


def _write_beside(path: Path, model: ModelProto, data: Mapping[int, RawData]) -> None:
    """Write two files; the second is named by its content, so that no model gets another's data."""
    digest = hashlib.sha256()
    for raw in data.values():
        digest.update(raw.get())
    beside = path.with_name(f"{path.name}.{digest.hexdigest()[:_NAME_DIGITS]}.data")
    referring = type(model).FromString(model.SerializeToString())
    targets = files.Target(path=beside), files.Target(path=path)
    with files.writing_all(*targets) as (stream, graph):
        for number, raw in data.items():
            tensor = referring.graph.initializer[number]
            refer(tensor, beside.name, stream.tell(), raw.n_bytes)
            stream.write(raw.get())
        graph.write(referring.SerializeToString())


def _split(message: Message, number: int) -> tuple[bytes, bytes]:
    """Return a message's bytes before and after one of its fields."""
    before, after = type(message)(), type(message)()
    before.CopyFrom(message)
    after.CopyFrom(message)
    for field, _ in message.ListFields():
        if field.number >= number:
            before.ClearField(field.name)
        if field.number <= number:
            after.ClearField(field.name)
    return before.SerializeToString(), after.SerializeToString()


def _field(number: int, length: int) -> bytes:
    """Return the head of a length-delimited field."""
    return varint(number << 3 | 2) + varint(length)

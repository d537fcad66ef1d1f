"""A model file whose tensors of floats can take other numbers; all else stays byte for byte.

The file is mapped, and its graph parsed; large tensors' data are read from where they lie. Of what
is changed the new numbers are held, in the tensor's own type. The data of a model that has them
beside it are written anew beside the new graph, in files that are named by their content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress import files
from compress.artifact import sources, wire
from compress.artifact.beside import SourceFile, where
from compress.artifact.sources import Source
from compress.artifact.splice import (
    DOUBLE_DATA,
    EXTERNAL_DATA,
    FLOAT_DATA,
    INT32_DATA,
    RAW_DATA,
    Edit,
    Head,
    Part,
    splice,
    tensors,
)
from compress.artifact.splice import Path as Place
from compress.codecs.cursor import varint
from compress.errors import DataError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto, TensorProto

# Types of floats: bfloat16, which numpy has not, as its bits.
FLOATS: Mapping[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    16: np.dtype("<u2"),
}
BFLOAT16 = 16
_FIELDS = {1: FLOAT_DATA, 10: INT32_DATA, 11: DOUBLE_DATA, 16: INT32_DATA}  # beside raw_data
_INLINE_BYTES = 4096  # smaller data stay in the parsed graph, too
_NAME_DIGITS = 16  # of a digest, in a file's name
_SOURCE = Path("model.onnx")  # what a model that was no file is called

Items = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a tensor's numbers lie."""

    dtype: np.dtype[Any]
    file: int  #: 0 for the model's own
    spans: tuple[tuple[int, int], ...]  #: begin and end of each piece of them
    parts: tuple[Part, ...]  #: the pieces that lie in the model's own file


class EditableModel:
    """A model file with what was changed of it."""

    def __init__(self, model: Path | ModelProto) -> None:
        """Open a model; the file must stay as it is while this lives.

        Args:
            model: an .onnx file, or what one holds.

        Raises:
            DataError: when it cannot be read.
        """
        source = _source(model)
        self.proto: ModelProto = source.model  #: large floats are not in it
        self.path = source.files[0].path
        self.version = 0  #: rises with each change
        self._files = source.files
        self._stored: dict[Place, _Stored] = {}
        self._locations: list[tuple[Part, int]] = []  # names of files, and which file each is
        self._changed: dict[Place, Items] = {}
        data = self._files[0].data
        numbers = frozenset({RAW_DATA, FLOAT_DATA, INT32_DATA, DOUBLE_DATA, EXTERNAL_DATA})
        for place, parts in tensors(data, self.proto.DESCRIPTOR, numbers).items():
            tensor = tensor_at(self.proto, place)
            if tensor is not None:
                self._find(place, tensor, parts)

    @property
    def has_files_beside(self) -> bool:
        """Whether data of tensors lie beside the model."""
        return len(self._files) > 1

    @property
    def n_bytes(self) -> int:
        """Bytes of the model and of the files beside it, as they were opened."""
        return sum(len(file.data) for file in self._files)

    @property
    def changed(self) -> Mapping[Place, Items]:
        """What was changed, by its place."""
        return self._changed

    def sha256(self) -> str:
        """Digest what was opened, files beside the model included."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(hashlib.sha256(file.data).digest())
        return digest.hexdigest()

    def can_change(self, place: Place) -> bool:
        """Return whether a tensor has floats whose place in the file is known."""
        return place in self._stored

    def items(self, place: Place) -> Items:
        """Return a tensor's numbers in its own type, shape `(n,)`; they must not be written."""
        held = self._changed.get(place)
        if held is not None:
            return held
        stored = self._stored[place]
        if stored.parts and stored.parts[0].number == INT32_DATA:
            tensor = tensor_at(self.proto, place)
            assert tensor is not None
            return np.array(tensor.int32_data, np.int32).astype("<u2").view(stored.dtype)
        data = self._files[stored.file].data
        pieces = [data[begin:end] for begin, end in stored.spans]
        return np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), stored.dtype)

    def set_items(self, place: Place, items: Items | None) -> None:
        """Give a tensor other numbers, or, by None, those of its file."""
        self.version += 1
        self._changed.pop(place, None)
        if items is not None:
            self._changed[place] = np.ascontiguousarray(items, self._stored[place].dtype)

    def tensor(self, place: Place) -> TensorProto:
        """Return a copy of a tensor as it is now, with all its data in it."""
        found = tensor_at(self.proto, place)
        assert found is not None
        copy = type(found)()
        copy.CopyFrom(found)
        if place in self._stored:
            items = self.items(place)
            for field in ("float_data", "int32_data", "double_data", "external_data"):
                copy.ClearField(field)
            copy.ClearField("data_location")
            copy.raw_data = items.tobytes()
        elif found.data_location == found.EXTERNAL:
            index, begin, n_bytes = where(self._files, found)
            copy.ClearField("external_data")
            copy.ClearField("data_location")
            copy.raw_data = self._files[index].data[begin : begin + n_bytes]
        return copy

    def data(self) -> bytes:
        """Return the model's own file as it is now; data beside it stay where they are."""
        return b"".join(splice(self._files[0].data, self._edits({})))

    def write(self, path: Path) -> tuple[Path, ...]:
        """Write the model as it is now, and return all files, the model first.

        Raises:
            OutputError: when they cannot be written.
        """
        files.guard(path, sources=[file.path for file in self._files if file.path.exists()])
        names = {
            index: f"{path.name}.{self._digest(index)[:_NAME_DIGITS]}.data"
            for index in range(1, len(self._files))
        }
        beside = {path.with_name(name): index for index, name in names.items()}
        targets = [files.Target(path=own) for own in (*beside, path)]
        with ExitStack() as stack:
            *others, graph = stack.enter_context(files.writing_all(*targets))
            for stream, index in zip(others, beside.values(), strict=True):
                for piece in self._pieces(index):
                    stream.write(piece)
            for piece in splice(self._files[0].data, self._edits(names)):
                graph.write(piece)
        return path, *beside

    def _find(self, place: Place, tensor: TensorProto, parts: list[Part]) -> None:
        """Note where a tensor's data lie, if they can be changed there."""
        if tensor.data_location == tensor.EXTERNAL:
            index, begin, length = where(self._files, tensor)
            name = _location(self._files[0].data, parts)
            if index and name is not None:
                self._locations.append((name, index))
            dtype = FLOATS.get(tensor.data_type)
            if dtype is not None and name is not None and length == _n_bytes(tensor):
                self._stored[place] = _Stored(dtype, index, ((begin, begin + length),), ())
            return
        stored = _inline(tensor, parts)
        if stored is None:
            return
        self._stored[place] = stored
        if not tensor.HasField("raw_data"):
            return
        if self.items(place).tobytes() != tensor.raw_data:
            del self._stored[place]  # a message in two pieces: it is another's
        elif _n_bytes(tensor) >= _INLINE_BYTES:
            tensor.ClearField("raw_data")

    def _edits(self, names: Mapping[int, str]) -> list[Edit]:
        """Return what changes in the model's own file, new names of files beside it included."""
        edits = [
            Edit(part, names[index].encode()) for part, index in self._locations if index in names
        ]
        for place, items in self._changed.items():
            parts = self._stored[place].parts
            if not parts:
                continue
            if parts[0].number == INT32_DATA:
                edits.append(Edit(parts[0], _as_int32(items)))
                continue
            data, at = memoryview(items.tobytes()), 0
            for part in parts:
                size = part.end - part.begin
                edits.append(Edit(part, data[at : at + size]))
                at += size
        return edits

    def _pieces(self, index: int) -> Iterator[bytes | memoryview]:
        """Yield the bytes of a file beside the model as they are now."""
        data, at = self._files[index].data, 0
        changed = sorted(
            (self._stored[place].spans[0], place)
            for place in self._changed
            if self._stored[place].file == index
        )
        for (begin, end), place in changed:
            yield data[at:begin]
            yield self._changed[place].tobytes()
            at = end
        yield data[at:]

    def _digest(self, index: int) -> str:
        digest = hashlib.sha256()
        for piece in self._pieces(index):
            digest.update(piece)
        return digest.hexdigest()


def tensor_at(model: ModelProto, place: Place) -> TensorProto | None:
    """Return the tensor at a place of a parsed model; None where none is."""
    from onnx import TensorProto

    message: Message = model
    for number, index in place:
        field = message.DESCRIPTOR.fields_by_number[number]
        value = getattr(message, field.name)
        if hasattr(value, "ListFields"):
            if index or not message.HasField(field.name):
                return None
            message = value
        elif index < len(value):
            message = value[index]
        else:
            return None
    return message if isinstance(message, TensorProto) else None


def _source(model: Path | ModelProto) -> Source:
    if isinstance(model, Path):
        if model.suffix != ".onnx":
            raise DataError(f"{model} does not end in .onnx")
        return sources.open_source(model)
    data = model.SerializeToString(deterministic=True)
    return Source(type(model).FromString(data), [SourceFile("", _SOURCE, data)], True)


def _inline(tensor: TensorProto, parts: list[Part]) -> _Stored | None:
    """Return where data within the model lie; None where they are written in another way."""
    dtype = FLOATS.get(tensor.data_type)
    numbers = {part.number for part in parts}
    if (
        dtype is None
        or len(numbers) != 1
        or not numbers
        <= {
            RAW_DATA,
            _FIELDS[tensor.data_type],
        }
    ):
        return None
    spans = tuple((part.begin, part.end) for part in parts)
    stored = _Stored(dtype, 0, spans, tuple(parts))
    if INT32_DATA in numbers:
        one = len(parts) == 1 and parts[0].is_delimited
        return stored if one and len(tensor.int32_data) == prod(tensor.dims) else None
    if sum(end - begin for begin, end in spans) != _n_bytes(tensor):
        return None
    return stored if RAW_DATA not in numbers or len(parts) == 1 else None


def _n_bytes(tensor: TensorProto) -> int:
    return int(prod(tensor.dims)) * FLOATS[tensor.data_type].itemsize


def _location(data: Any, parts: list[Part]) -> Part | None:  # noqa: ANN401  (bytes or mmap)
    """Return where the name of a tensor's file stands."""
    for part in parts:
        held = {field.number: field for field in wire.fields(data, part.begin, part.end)}
        key, value = held.get(1), held.get(2)
        if part.number != EXTERNAL_DATA or key is None or value is None:
            continue
        if data[key.begin : key.end] == b"location":
            heads = (*part.heads, Head(value.at, value.begin, value.end))
            return Part(EXTERNAL_DATA, value.begin, value.end, heads, True)
    return None


def _as_int32(items: Items) -> bytes:
    """Return 16-bit floats as the packed numbers of `int32_data`."""
    from onnx import TensorProto

    packed: bytes = TensorProto(int32_data=items.view("<u2").tolist()).SerializeToString()
    tag = len(varint(INT32_DATA << 3 | wire.DELIMITED))
    (field,) = wire.fields(packed, 0, len(packed))
    assert field.at == tag
    return packed[field.begin : field.end]

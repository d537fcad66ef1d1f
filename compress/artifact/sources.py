"""What is packed: a model file, and the files beside it that hold data of its tensors.

The files are mapped; a tensor's data is in memory from when it is taken until it is coded. Where
each lay is remembered, so that the files come back byte for byte, whoever wrote them.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress import limits
from compress.artifact import model, pieces, safetensors_file, wire
from compress.artifact.beside import OWN, SourceFile, open_file, where
from compress.artifact.model import Layout
from compress.artifact.pieces import PackedFile
from compress.artifact.safetensors_file import Entry
from compress.artifact.texts import MAX_BYTES
from compress.artifact.values import Items
from compress.errors import DataError, FormatError

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

WEIGHTS = "safetensors"  # the producer's name of a model that stands for a file of weights
_MAX_MODEL = (1 << 31) - 1  # bytes of an ONNX file: protobuf's own limit
_ZEROS = bytes(256)  # so many in a row, or more, are not written out
_MIB = 1 << 20
# Memory as a multiple: of a model's file while it is parsed, and of what is no tensors' data (here
# numbers of one byte take eight) while it is coded and proved.
_PARSE, _CODE = 2, 8

# ONNX's type, and safetensors' name of it; raw bytes agree.
TYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16",
    11: "F64", 12: "U32", 13: "U64", 14: "C64", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ",
    19: "F8_E5M2", 20: "F8_E5M2FNUZ", 23: "F4", 24: "F8_E8M0", 27: "F6_E2M3", 28: "F6_E3M2",
}  # fmt: skip


@dataclass(slots=True)
class Source:
    """All that is packed. Its tensors' data are taken one by one, in the order of the model."""

    model: ModelProto
    files: list[SourceFile]  #: the model first
    is_canonical: bool  #: what the model alone gives back are the file's own bytes
    _places: list[tuple[int, int] | None] = field(default_factory=list)  # file, offset; by tensor
    _sizes: list[int] = field(default_factory=list)
    _payloads: dict[int, list[int]] | None = None  # places in the model file, by size

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(len(file.data) for file in self.files)

    def take(self, tensor: TensorProto) -> tuple[Layout, Items] | None:
        """Take a tensor's data out of it, or out of its file; None where it stays in the graph.

        Raises:
            DataError: when it has none.
        """
        place = None
        if tensor.data_location == tensor.EXTERNAL:
            index, begin, n_bytes = where(self.files, tensor)
            data = self.files[index].data[begin : begin + n_bytes]
            model.bring(tensor)
            layout = model.missing(tensor)
            if layout is not None and layout.n_bytes == n_bytes:
                self._note((index, begin), n_bytes)
                return layout, np.frombuffer(data, layout.item.dtype)
            tensor.raw_data = data
        try:
            found = model.take_data(tensor)
        except FormatError as error:
            raise DataError(f"{self.files[0].path}: {error}") from error
        if found is not None and not self.is_canonical:
            place = self._search(found[1])
        if found is not None:
            self._note(place, found[0].n_bytes)
        return found

    def assembly(self) -> tuple[tuple[PackedFile, ...], bytes] | None:
        """Return how the files are put together, and the bytes that are no tensors' data.

        None where the model alone gives the file.

        Raises:
            DataError: when a file holds too much that is no tensor's data.
        """
        if self.is_canonical:
            return None
        used: list[list[tuple[int, int]]] = [[] for _ in self.files]
        for number, place in enumerate(self._places):
            if place is not None:
                used[place[0]].append((place[1], number))
        packed, literals = [], bytearray()
        for file, parts in zip(self.files, used, strict=True):
            first, stored = len(literals), array("q")
            for kind, begin, number in self._parts(file, sorted(parts)):
                stored.append(pieces.piece(kind, number))
                if kind == "literal":
                    literals += file.data[begin : begin + number]
                if len(literals) > MAX_BYTES:
                    raise DataError(_too_much(file.path, "of other bytes than tensors' data"))
            digest = hashlib.sha256(file.data).digest()
            packed.append(PackedFile(file.name, digest, len(file.data), stored, first))
        if sum(len(file.pieces) for file in packed) > pieces.MAX_PIECES:
            raise DataError(f"{self.files[0].path} is in more than {pieces.MAX_PIECES} pieces")
        return tuple(packed), bytes(literals)

    def _note(self, place: tuple[int, int] | None, n_bytes: int) -> None:
        self._places.append(place)
        self._sizes.append(n_bytes)

    def _parts(
        self, file: SourceFile, used: list[tuple[int, int]]
    ) -> Iterator[tuple[pieces.Kind, int, int]]:
        """Yield kind, place and number of each piece; tensors that overlap count once."""
        at = 0
        for begin, number in used:
            if begin >= at:
                yield from _between(file.data, at, begin)
                yield "tensor", begin, number
                at = begin + self._sizes[number]
        yield from _between(file.data, at, len(file.data))

    def _search(self, items: Items) -> tuple[int, int] | None:
        """Return where these bytes stand in the model file as a tensor's data, each place once."""
        data = self.files[0].data
        if self._payloads is None:
            self._payloads = defaultdict(list)
            kind = self.model.DESCRIPTOR
            for at, size in wire.payloads(data, 0, len(data), kind, model.MIN_BYTES):
                self._payloads[size].append(at)
        wanted = items.view(np.uint8)
        places = self._payloads.get(len(wanted), [])
        for number, at in enumerate(places):
            if self.files[0].holds(at, wanted.data):
                return 0, places.pop(number)
        return None


def open_source(path: Path) -> Source:
    """Open a model file, and all files beside it that it refers to; nothing is written yet.

    Raises:
        DataError: when they cannot be read, or not be packed.
    """
    match path.suffix:
        case ".onnx":
            read = _read_onnx
        case ".safetensors":
            read = _read_weights
        case _:
            raise DataError(f"{path} does not end in .onnx or .safetensors")
    return read(open_file(path, ""))


def files_of(path: Path) -> tuple[Path, ...]:
    """Return a model file and the files beside it that hold its data."""
    if path.suffix != ".onnx":
        return (path,)
    return tuple(file.path for file in _read_onnx(open_file(path, "")).files)


def _read_onnx(file: SourceFile) -> Source:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    n_bytes = len(file.data)
    if n_bytes > _MAX_MODEL:
        raise DataError(
            f"{file.path} has {n_bytes / _MIB:.0f} MiB, and an ONNX file ends at 2048 MiB; save it "
            "with its weights in a file beside it (external data)"
        )
    limits.require_memory(f"reading {file.path}", _PARSE * n_bytes)
    try:
        parsed = ModelProto.FromString(file.data[:])
    except (DecodeError, ValueError) as error:
        raise DataError(f"{file.path} is not a readable ONNX model: {error}") from error
    if not parsed.HasField("graph"):
        raise DataError(f"{file.path} is not a readable ONNX model: it has no graph")
    files = [file]
    rest, beside = parsed.ByteSize(), False
    for tensor in model.tensors(parsed):
        layout = model.layout_of(tensor)
        if tensor.data_location == tensor.EXTERNAL:
            beside = True
            length = where(files, tensor)[2]
            rest += 0 if layout is not None and layout.n_bytes == length else length
        elif layout is not None:
            rest -= tensor.ByteSize()
    same = not beside and parsed.ByteSize() == n_bytes
    same = same and file.holds(0, parsed.SerializeToString())
    # Where the file has other bytes than the model gives, both are kept.
    if rest * (1 if same else 2) > MAX_BYTES:
        raise DataError(
            _too_much(
                file.path, f"in nodes, attributes and names, not tensors: {rest / _MIB:.1f} MiB"
            )
        )
    limits.require_memory(f"packing {file.path}", _CODE * rest)
    return Source(parsed, files, same)


def _read_weights(file: SourceFile) -> Source:
    """Read a file of weights as a model of initializers only, whose data lie in this file."""
    from onnx import ModelProto
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file.path, "numpy"):  # the library's word on what is one
            head = file.data[: safetensors_file.header_bytes(file.data[:8])]
            entries, facts, begins = safetensors_file.read_header(head)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{file.path} is not a readable safetensors file: {error}") from error
    if "compress" in facts:
        raise DataError(f"{file.path} is packed already")
    kinds = {name: number for number, name in TYPES.items()}
    out = ModelProto(producer_name=WEIGHTS)
    for entry, begin in sorted(zip(entries, begins, strict=True), key=lambda pair: pair[0].name):
        if entry.type not in kinds:
            raise DataError(f"{file.path}: {entry.name} has the type {entry.type}, not known here")
        try:
            tensor = out.graph.initializer.add(
                name=entry.name, data_type=kinds[entry.type], dims=entry.shape
            )
        except (ValueError, TypeError) as error:  # a size above 2^63 of a tensor without elements
            raise DataError(f"{file.path}: {entry.name} cannot be packed: {error}") from error
        model.refer(tensor, OWN, begin, entry.n_bytes)
    for key in sorted(facts):
        out.metadata_props.add(key=key, value=facts[key])
    laid = safetensors_file.lay_out(entries, facts)
    return Source(out, [file], laid.head == head and laid.begins == begins)


def entries_of(weights: ModelProto) -> tuple[Entry, ...]:
    """Return the tensors of a model that stands for a file of weights.

    Raises:
        ValueError: when no file of weights can hold them.
    """
    found = []
    for tensor in weights.graph.initializer:
        layout = model.missing(tensor)
        n_bytes = len(tensor.raw_data) if layout is None else layout.n_bytes
        if tensor.data_type not in TYPES or model.n_bits(tensor) != 8 * n_bytes:
            raise ValueError(f"{tensor.name!r} has {n_bytes} bytes")
        found.append(Entry(tensor.name, TYPES[tensor.data_type], tuple(tensor.dims), n_bytes))
    if len({entry.name for entry in found}) < len(found):
        raise ValueError("a name stands twice")
    return tuple(found)


def _between(data: bytes | mmap, begin: int, end: int) -> Iterator[tuple[pieces.Kind, int, int]]:
    """Yield bytes that are no tensor's data: literals, and zeros where there are many."""
    while begin < end:
        zeros = data.find(_ZEROS, begin, end)
        stop = end if zeros < 0 else zeros
        if stop > begin:
            yield "literal", begin, stop - begin
        begin = stop
        while begin < end and (part := data[begin : min(begin + _MIB, end)]):
            n_zeros = len(part) - len(part.lstrip(b"\0"))
            begin += n_zeros
            if n_zeros < len(part):
                break
        if begin > stop:
            yield "zeros", stop, begin - stop


def _too_much(path: Path, what: str) -> str:
    return f"{path} has too much {what}; a packed file holds {MAX_BYTES / _MIB:.0f} MiB of such"

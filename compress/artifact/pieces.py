"""How the files that were packed are put together, byte for byte: SPEC.md, section 2.

A file is a row of pieces: bytes that stand in the compressed file as they are (literals), zeros,
and the data of tensors.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from compress.artifact import texts
from compress.artifact.container import SOURCE, Streams
from compress.codecs.cursor import Cursor, varint
from compress.errors import FormatError

if TYPE_CHECKING:
    from onnx import ModelProto

Kind = Literal["literal", "zeros", "tensor"]
_KINDS: tuple[Kind, ...] = ("literal", "zeros", "tensor")  # of a piece: its number modulo 4

GRAPH = "graph"  # the stream of the model and of literals
MAX_PIECES = 1 << 20  # of all files
MAX_FILES = 1 << 12
_MAX_NAME = 1 << 10  # bytes
_DIGEST = hashlib.sha256().digest_size
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:]+")  # of a name, between two slashes
_ABOVE = ("", ".", "..")


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a file, and where it stands."""

    begin: int  #: in the file
    n_bytes: int
    kind: Kind
    place: int  #: of a literal, where it begins in the literals; of a tensor, its number


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file as it was before it was packed."""

    name: str  #: below the folder of the model, with slashes; empty for the model itself
    sha256: bytes
    n_bytes: int
    pieces: array[
        int
    ]  #: kind + 4 times (bytes of a literal or of zeros, or the number of a tensor)
    first_literal: int  #: where its literals begin


@dataclass(frozen=True, slots=True)
class Assembly:
    """All files that were packed, and the bytes that are theirs alone."""

    files: tuple[PackedFile, ...]
    literals: memoryview
    sizes: tuple[int, ...]  #: bytes of each tensor

    def runs(self, file: PackedFile) -> Iterator[Run]:
        """Yield a file's pieces, front to back."""
        begin, literal = 0, file.first_literal
        for piece in file.pieces:
            kind, number = _KINDS[piece % 4], piece // 4
            n_bytes = self.sizes[number] if kind == "tensor" else number
            yield Run(begin, n_bytes, kind, number if kind == "tensor" else literal)
            begin += n_bytes
            literal += n_bytes if kind == "literal" else 0


def piece(kind: Kind, number: int) -> int:
    """Return a piece as it is stored."""
    return 4 * number + _KINDS.index(kind)


def write(files: Sequence[PackedFile], n_graph: int) -> bytes:
    """Return what tells of files, behind a graph of so many bytes."""
    out = bytearray(varint(n_graph) + varint(len(files)))
    for file in files:
        name = file.name.encode()
        out += varint(len(name)) + name + file.sha256 + varint(len(file.pieces))
        for stored in file.pieces:
            out += varint(stored)
    return bytes(out)


def read(cursor: Cursor, literals: memoryview, sizes: tuple[int, ...], max_bytes: int) -> Assembly:
    """Read what tells of files, behind the bytes of the graph; all bounds are checked.

    Args:
        cursor: behind the first number.
        literals: the bytes of all files that are no tensors' data.
        sizes: bytes of each tensor.
        max_bytes: of all files.

    Raises:
        FormatError: when no files are told.
    """
    files: list[PackedFile] = []
    n_files, n_pieces, n_literals, n_bytes = cursor.varint(), 0, 0, 0
    if not 1 <= n_files <= MAX_FILES:
        raise FormatError(f"{n_files} files were packed; there are 1 to {MAX_FILES}")
    for index in range(n_files):
        name = _name(cursor, is_model=index == 0)
        sha256 = bytes(cursor.take(_DIGEST))
        count = cursor.varint()
        n_pieces += count
        if n_pieces > MAX_PIECES:
            raise FormatError(f"files have more than {MAX_PIECES} pieces")
        pieces, first, size = array("q"), n_literals, 0
        for _ in range(count):
            stored = cursor.varint()
            length = _length(stored, sizes)
            size += length
            n_literals += length if _KINDS[stored % 4] == "literal" else 0
            if n_literals > len(literals) or n_bytes + size > max_bytes:
                raise FormatError(f"the files {name!r} and before are larger than what is there")
            pieces.append(stored)
        n_bytes += size
        files.append(PackedFile(name, sha256, size, pieces, first))
    cursor.finish()
    if n_literals != len(literals):
        raise FormatError(f"{len(literals) - n_literals} bytes are in no file")
    if len({file.name for file in files}) < len(files):
        raise FormatError("a file stands twice")
    return Assembly(tuple(files), literals, sizes)


def read_graph(streams: Streams, version: int) -> tuple[ModelProto, memoryview, Cursor | None]:
    """Return the graph, the bytes behind it, and what tells of files, if there are such.

    Raises:
        FormatError: when they are damaged.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    text = memoryview(texts.decode(streams, GRAPH, version))
    told, n_bytes = None, len(text)
    if SOURCE in streams:
        told = Cursor(texts.decode(streams, SOURCE, version), version)
        told.require(4)
        n_bytes = told.varint()
        if n_bytes > len(text):
            raise FormatError(f"a graph of {n_bytes} bytes is not in {len(text)}")
    graph = ModelProto()
    try:
        graph.ParseFromString(bytes(text[:n_bytes]))
    except DecodeError as error:
        raise FormatError("the graph is no ONNX model") from error
    return graph, text[n_bytes:], told


def is_name(name: str) -> bool:
    """Return whether a name is one of a file below a folder, and nothing else, on any system."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    parts = name.split("/")
    return size <= _MAX_NAME and all(p not in _ABOVE and _PART.fullmatch(p) for p in parts)


def _name(cursor: Cursor, *, is_model: bool) -> str:
    size = cursor.varint()
    if size > _MAX_NAME:
        raise FormatError(f"the name of a file has {size} bytes")
    try:
        name = bytes(cursor.take(size)).decode()
    except UnicodeDecodeError as error:
        raise FormatError("the name of a file is not UTF-8") from error
    if name if is_model else not is_name(name):
        raise FormatError(f"{name!r} is no name of a file beside a model")
    return name


def _length(stored: int, sizes: tuple[int, ...]) -> int:
    """Return the bytes of a stored piece."""
    number = stored // 4
    if stored % 4 >= len(_KINDS):
        raise FormatError(f"no piece has the kind {stored % 4}")
    if _KINDS[stored % 4] != "tensor":
        if not number:
            raise FormatError("a piece is empty")
        return number
    if number >= len(sizes):
        raise FormatError(f"there is no tensor {number}")
    return sizes[number]

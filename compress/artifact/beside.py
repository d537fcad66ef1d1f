"""Files that are packed, and where in them the data of a tensor lie.

Data beside a model (external data) lie in a file below the model's folder. The file may be a link
out of it, as in Hugging Face's cache; the name that the model gives may not lead out.
"""

from __future__ import annotations

from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress.artifact import model, pieces
from compress.errors import DataError

if TYPE_CHECKING:
    from onnx import TensorProto

OWN = ""  # where the data of a file of weights lie: in itself
_MAX_DIGITS = 18  # of an offset or a length
_STEP = 1 << 22  # bytes that are compared at a time


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that is packed."""

    name: str  #: below the folder of the model, with slashes; empty for the model itself
    path: Path
    data: bytes | mmap

    def holds(self, begin: int, data: bytes | memoryview) -> bool:
        """Return whether these bytes stand at a place of the file."""
        wanted = np.frombuffer(data, np.uint8)
        if not 0 <= begin <= begin + len(wanted) <= len(self.data):
            return False
        there = np.frombuffer(self.data, np.uint8, len(wanted), begin) if len(wanted) else wanted
        steps = range(0, len(wanted), _STEP)
        return all(np.array_equal(wanted[i : i + _STEP], there[i : i + _STEP]) for i in steps)


def open_file(path: Path, name: str) -> SourceFile:
    """Map a file; links are followed.

    Raises:
        DataError: when there is none, or it cannot be read.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        with path.open("rb") as stream:
            n_bytes = stream.seek(0, 2)
            data = mmap(stream.fileno(), 0, access=ACCESS_READ) if n_bytes else b""
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return SourceFile(name, path, data)


def where(files: list[SourceFile], tensor: TensorProto) -> tuple[int, int, int]:
    """Return file, offset and length of a tensor's data; the file is opened where it is new.

    Raises:
        DataError: when they lie nowhere below the model's folder, or beyond the file's end.
    """
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location, own = facts.get("location"), files[0].path
    what = f"{own}: the data of the tensor {tensor.name!r}"
    index = 0
    if location != OWN or not _is_weights(files):
        name = _below(location)
        if name is None:
            raise DataError(f"{what} lie in {location!r}, and not in a file below its folder")
        names = [file.name for file in files]
        index = names.index(name) if name in names else len(files)
        if index == len(files):
            if name == own.name:
                raise DataError(f"{what} lie in the model file itself")
            if name.casefold() in {other.casefold() for other in names}:
                raise DataError(
                    f"{what} lie in {name!r}, which other systems take for another name"
                )
            path = own.parent / name
            if not path.is_file():
                raise DataError(f"{what} lie in {path}, which is not there or no file")
            files.append(open_file(path, name))
    there = len(files[index].data)
    begin, length = _count(facts.get("offset", "0")), _count(facts.get("length", ""))
    if length is None and begin is not None and "length" not in facts:
        layout = model.layout_of(tensor)
        length = there - begin if layout is None else layout.n_bytes
    if begin is None or length is None or not 0 <= begin <= begin + length <= there:
        raise DataError(
            f"{what} are {facts.get('length')!r} bytes at {facts.get('offset')!r} of "
            f"{files[index].path}, which has {there}"
        )
    return index, begin, length


def _is_weights(files: list[SourceFile]) -> bool:
    return files[0].path.suffix == ".safetensors"


def _below(location: object) -> str | None:
    """Return a location as a name below the model's folder; None where it leads elsewhere."""
    if not isinstance(location, str) or location.startswith("/"):
        return None
    name = "/".join(part for part in location.split("/") if part not in ("", "."))
    return name if pieces.is_name(name) else None


def _count(text: object) -> int | None:
    """Return a number that is written in decimal digits."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        return None
    return int(text) if len(text) <= _MAX_DIGITS else None

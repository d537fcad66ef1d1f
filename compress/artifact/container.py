"""The file around the streams: a safetensors file, its metadata and its checksum."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress import files
from compress.artifact.safetensors_file import Entry, lay_out
from compress.errors import DataError, FormatError

VERSION = 4  # of the format: the newest that is read
_PLAIN, _NEWEST = 3, 4  # what is written: as old as may be, so that older readers read it
SOURCE = "source"  # the stream that came with format 4
_KEY = "compress"  # the one metadata entry: its order in the file cannot vary
_MAX_METADATA = 1 << 20  # bytes of JSON
_MAX_HEADER = 100_000_000  # bytes: safetensors' own limit
_SEALED = re.compile(r'(\{.*),"sha256":"([0-9a-f]{64})"\}', re.DOTALL)

Streams = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Container:
    """A compressed file, read: nothing of it is decoded, all of it is bounded by the file."""

    path: Path
    n_bytes: int  #: of the file
    metadata: Mapping[str, Any]
    streams: Streams  #: by tensor name


def write(
    path: Path,
    metadata: Mapping[str, Any],
    streams: Mapping[str, bytes],
    *,
    over: files.Over = files.anything,
    check: Callable[[Path], None] | None = None,
    is_large: bool = False,
) -> None:
    """Write streams and metadata to `path`, whole or not at all; same input, same bytes.

    Args:
        path: of the file.
        metadata: as JSON's types.
        streams: by tensor name.
        over: whether a file that is there may give way.
        check: is given the file before it appears, under another name; what it raises ends it.
        is_large: a stream decodes to more than formats before 4 allow.

    Raises:
        FormatError: when the metadata are too large or have no JSON.
        OutputError: when the file cannot be written.
    """
    facts = {key: value for key, value in metadata.items() if key != "sha256"}
    arrays = {name: np.frombuffer(data, np.uint8) for name, data in streams.items()}
    version = _NEWEST if is_large or SOURCE in streams else _PLAIN
    try:
        text = _json({**facts, "format": version})[:-1]
        text = f'{text},"sha256":"{_digest(text, arrays)}"}}'
    except (TypeError, ValueError) as error:
        raise FormatError(f"the metadata of {path} cannot be JSON: {error}") from error
    if len(text.encode()) > _MAX_METADATA:
        raise FormatError(f"the metadata of {path} are larger than {_MAX_METADATA} bytes")
    entries = [Entry(name, "U8", (len(data),), len(data)) for name, data in streams.items()]
    laid = lay_out(entries, {_KEY: text})
    with files.writing(path, over=over) as stream:
        stream.write(laid.head)
        for name in sorted(streams, key=str.encode):
            stream.write(streams[name])
        if check is not None:
            stream.flush()
            check(Path(stream.name))


def is_packed(path: Path) -> bool:
    """Return whether a file's header says that it is a compressed file; no more of it is read."""
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header: Any = json.loads(stream.read(size)) if size <= _MAX_HEADER else None
        facts = json.loads(header["__metadata__"][_KEY])
        return type(facts["format"]) is int and isinstance(facts["sha256"], str)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return False


def open_file(path: Path, *, check: bool = True) -> Container:
    """Read a compressed file and, unless told not to, compare its checksum.

    Raises:
        DataError: when there is no such file, or it cannot be read.
        FormatError: when it is not a compressed file, of a later format, or was altered.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        with safe_open(path, "numpy") as file:
            text, facts = _metadata(path, file.metadata() or {})
            names = file.keys()
            for name in names:
                found = file.get_slice(name)
                if found.get_dtype() != "U8" or len(found.get_shape()) != 1:
                    raise FormatError(f"{path}: the stream {name!r} is not a row of bytes")
            streams = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        hint = "; pack it first" if path.suffix == ".onnx" else ""
        raise FormatError(f"{path} is not a compressed file: {error}{hint}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    sealed = _SEALED.fullmatch(text)
    if sealed is None or (check and sealed[2] != _digest(sealed[1], streams)):
        raise FormatError(f"{path} was altered or damaged: its SHA-256 does not match")
    return Container(path, path.stat().st_size, facts, streams)


def _metadata(path: Path, stored: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    if stored.keys() != {_KEY}:
        raise FormatError(f"{path} is a safetensors file, but no compressed model")
    text = stored[_KEY]
    if len(text.encode()) > _MAX_METADATA:
        raise FormatError(f"{path}: the metadata are larger than {_MAX_METADATA} bytes")
    try:
        facts = json.loads(text, object_pairs_hook=_object)
        _json(facts).encode()  # neither NaN nor half a surrogate pair
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: the metadata are not JSON: {error}") from error
    version = facts.get("format") if isinstance(facts, dict) else None
    if type(version) is not int or version < 1:
        raise FormatError(f"{path}: the metadata name no format version")
    if version > VERSION:
        raise FormatError(
            f"{path} has format {version}, and this version reads up to {VERSION}; upgrade"
        )
    return text, facts


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _digest(text: str, streams: Streams) -> str:
    """Hash the metadata's text before its hash, then each stream's name and bytes, by name.

    Each part stands behind its own size, so that no two files have the same parts in a row.
    """
    digest = hashlib.sha256()
    parts: list[bytes | memoryview] = [text.encode()]
    for name in sorted(streams):
        parts += name.encode(), streams[name].data
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(
        facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )

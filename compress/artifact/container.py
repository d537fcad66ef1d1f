"""The file around the streams: a safetensors file, its metadata and its checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress import files
from compress.errors import DataError, FormatError

VERSION = 1  # of the format
_KEY = "compress"  # the one metadata entry: its order in the file cannot vary
_MAX_METADATA = 1 << 20  # bytes of JSON


@dataclass(frozen=True, slots=True)
class Container:
    """A compressed file, open: nothing of it is decoded, all of it is bounded by the file."""

    path: Path
    n_bytes: int  #: of the file
    metadata: Mapping[str, Any]
    streams: Mapping[str, NDArray[np.uint8]]  #: views of the file, by tensor name


def write(path: Path, metadata: Mapping[str, Any], streams: Mapping[str, bytes]) -> None:
    """Write streams and metadata to `path`, whole or not at all; same input, same bytes."""
    from safetensors.numpy import save  # noqa: PLC0415

    facts = {"format": VERSION, **metadata}
    facts["sha256"] = _digest(facts, {name: memoryview(data) for name, data in streams.items()})
    tensors = {name: np.frombuffer(data, np.uint8) for name, data in streams.items()}
    files.write_bytes(path, save(tensors, {_KEY: _json(facts)}))


def open_file(path: Path, *, check: bool = True) -> Container:
    """Open a compressed file and, unless told not to, compare its checksum.

    Raises:
        DataError: when there is no such file.
        FormatError: when it is not a compressed file, of a later format, or was altered.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        with safe_open(path, "numpy") as file:
            metadata = _metadata(path, file.metadata())
            streams = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise FormatError(f"{path} is not a compressed file: {error}") from error
    for name, data in streams.items():
        if data.dtype != np.uint8 or data.ndim != 1:
            raise FormatError(f"{path}: the stream {name!r} is not a row of bytes")
    if check and metadata.get("sha256") != _digest(metadata, streams):
        raise FormatError(f"{path} was altered or damaged: its SHA-256 does not match")
    return Container(path, path.stat().st_size, metadata, streams)


def _metadata(path: Path, stored: Mapping[str, str] | None) -> dict[str, Any]:
    text = (stored or {}).get(_KEY)
    if text is None:
        raise FormatError(f"{path} is a safetensors file, but no compressed model")
    try:
        facts = json.loads(text) if len(text) <= _MAX_METADATA else None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: the metadata are not JSON: {error}") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise FormatError(f"{path}: the metadata name no format version")
    if facts["format"] > VERSION:
        raise FormatError(
            f"{path} has format {facts['format']}, and this version reads up to {VERSION}; upgrade"
        )
    return facts


def _digest(facts: Mapping[str, Any], streams: Mapping[str, Any]) -> str:
    """Hash the metadata but the hash itself, then each stream's name, size and bytes, by name."""
    digest = hashlib.sha256(_json({k: v for k, v in facts.items() if k != "sha256"}).encode())
    for name in sorted(streams):
        digest.update(f"\0{name}\0{len(streams[name])}\0".encode())
        digest.update(streams[name])
    return digest.hexdigest()


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

"""Files that carry their own digest, so that what is damaged is never taken for what was written.

The digest is the SHA-256 of all bytes of the file, zeros in its own place: a JSON object has it as
its first member, a safetensors file in its metadata. Both stay what other readers take them for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from compress import files
from compress.errors import DataError

_KEY = "sha256"
_ZEROS = "0" * 64
ROOM: Mapping[str, str] = {_KEY: _ZEROS}  #: what a file's metadata holds until it is written

_STEP = 1 << 20  # bytes that are read at a time
_PLACE = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class _Record(msgspec.Struct):
    sha256: str
    record: dict[str, Any]


def write(path: Path, data: bytes) -> None:
    """Write bytes that have `ROOM` for their digest, whole or not at all."""
    place = _PLACE.search(data)
    assert place is not None
    assert place[1] == _ZEROS.encode()
    digest = hashlib.sha256(data).hexdigest().encode()
    with files.writing(path) as stream:
        for part in (memoryview(data)[: place.start(1)], digest, memoryview(data)[place.end(1) :]):
            stream.write(part)


def read(path: Path) -> bytes:
    """Return the bytes of a file that `write` made.

    Raises:
        DataError: when they are others than were written, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    place = _PLACE.search(data)
    if place is None:
        raise DataError(f"{path} is damaged or of another version: it has no digest")
    digest = hashlib.sha256(memoryview(data)[: place.start(1)])
    digest.update(_ZEROS.encode())
    digest.update(memoryview(data)[place.end(1) :])
    if digest.hexdigest().encode() != place[1]:
        raise DataError(f"{path} is damaged: its digest is not that of its bytes")
    return data


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON's types by name."""
    write(path, msgspec.json.encode(_Record(sha256=_ZEROS, record=dict(record))))


def read_record(path: Path) -> dict[str, Any]:
    """Return what `write_record` wrote; raise `DataError` as `read` does."""
    try:
        record: dict[str, Any] = msgspec.json.decode(read(path), type=_Record).record
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DataError(f"{path} is damaged or of another version: {error}") from error
    return record


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, None where it cannot be read."""
    try:
        return sha256(path).hex()
    except OSError:
        return None


def sha256(path: Path) -> bytes:
    """Return the SHA-256 of a file's bytes; raise `OSError` where it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_STEP):
            digest.update(part)
    return digest.digest()

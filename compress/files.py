"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from compress.errors import OutputError


@contextmanager
def writing(path: Path, *, mode: int = 0o666, replace: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` and rename it to `path` on a clean exit.

    Args:
        path: of the file.
        mode: its permissions from the first byte on, less those that the process withholds.
        replace: whether a file that is there gives way.

    Raises:
        OutputError: when the folder cannot be written or the disk is full; nothing is left behind.
    """
    place = Path(os.path.realpath(path))  # a link stays, what it points to is replaced
    temporary = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        if place.exists() and not replace:
            raise OutputError(f"cannot write {path}: it is there already; choose another place")
        if place.exists() and not place.is_file():
            raise OutputError(f"cannot write {path}: it is there and no file; choose another place")
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb", opener=lambda name, how: os.open(name, how, mode)) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            temporary.replace(place)
        else:
            place.hardlink_to(temporary)  # refused where a file has come in the meantime
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def require_writable(path: Path) -> None:
    """Make the folder of `path`; raise `OutputError` where no file can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to `path`, whole or not at all."""
    with writing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {error.strerror or error}; free or choose another place"
    )

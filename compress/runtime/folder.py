"""Folders for the moment in which weights lie in files, and what killed processes left of them.

A folder holds a file that its process has locked: the system lets go of the lock when the process
ends, however it ends, and whichever container it runs in. So a folder whose lock is free is a dead
process's, and the next one that needs a folder here removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from compress.limits import free_memory

if TYPE_CHECKING:
    from filelock import BaseFileLock

_SHARED_MEMORY = Path("/dev/shm")  # Linux's file system in memory
_PREFIX = "compress-weights-"
_LOCK = ".lock"
_OURS = re.compile(r"graph\.onnx|[0-9]+")  # nothing else is removed
_TRIES = 9  # at a folder of one's own; one fails where another process clears it that moment


def places(n_bytes: int) -> tuple[Path, ...]:
    """Return where files of so many bytes may lie, best first: in memory, the temporary folder."""
    disk = Path(tempfile.gettempdir())
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return (disk,)
    free = min(shutil.disk_usage(_SHARED_MEMORY).free, free_memory() or 2 * n_bytes + 1)
    fits = free > 2 * n_bytes
    return (_SHARED_MEMORY, disk) if fits else (disk,)


@contextmanager
def temporary(place: Path) -> Iterator[Path]:
    """Make a folder in `place` that is gone at the end, or at the next start after a kill.

    Raises:
        OSError: when `place` takes none.
    """
    clear(place)
    path, lock = _locked(place)
    try:
        yield path
    finally:
        _empty(path)
        lock.release()
        _remove(path)


def clear(place: Path) -> None:
    """Remove the folders in `place` that this user's processes left when they were killed."""
    with suppress(OSError):
        for entry in os.scandir(place):
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _clear(Path(entry.path))


def _locked(place: Path) -> tuple[Path, BaseFileLock]:
    """Make a folder with a lock that no other process has held."""
    from filelock import FileLock, Timeout

    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        lock = FileLock(path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:  # by a process that clears what it takes for a dead one's
            continue
        except OSError:
            if path.exists():
                _remove(path)
                raise
            continue
        if (path / _LOCK).exists():
            return path, lock
        lock.release()
    raise OSError(f"{place} is cleared as fast as it is filled")


def _clear(path: Path) -> None:
    """Remove a folder of ours unless a living process holds it."""
    from filelock import FileLock, Timeout

    if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        return
    held = path / _LOCK
    if not os.path.lexists(held):
        path.rmdir()  # killed before there was a lock, or after: it is empty, or not ours
        return
    lock = FileLock(held)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    _empty(path)
    lock.release()
    _remove(path)


def _empty(path: Path) -> None:
    """Remove the files of a folder, but not its lock: Windows refuses that while it is held."""
    for entry in list(os.scandir(path)):
        if _OURS.fullmatch(entry.name):
            with suppress(OSError):
                Path(entry.path).unlink()


def _remove(path: Path) -> None:
    with suppress(OSError):
        (path / _LOCK).unlink(missing_ok=True)
        path.rmdir()

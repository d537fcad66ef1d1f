"""One run at a time in a folder, on every system; a process that ends lets go, however it ends."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from compress.errors import OutputError

_NAME = ".lock"  # in the folder, while a run is at work


class FolderLock:
    """What keeps other runs out of a folder until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and lock it; raise `OutputError` where another run holds it."""
        self._file = folder / _NAME
        self._lock = FileLock(self._file)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(
                f"another run is at work in {folder}; wait or choose another --out"
            ) from error
        except OSError as error:
            raise OutputError(
                f"cannot write {folder}: {error.strerror}; free or choose another place"
            ) from error

    def close(self) -> None:
        """Let other runs into the folder, and leave nothing there."""
        with suppress(OSError):  # Windows: it goes when it is released
            self._file.unlink(missing_ok=True)
        self._lock.release()

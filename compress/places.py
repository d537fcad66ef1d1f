"""Folders of this user: what can be made again, and data sets. No other module asks for a home.

$COMPRESS_CACHE and $COMPRESS_DATA win. A user without a home (a container's `--user`) has a folder
of its own in the temporary one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from compress.errors import OutputError

_NAME = "compress"


def cache() -> Path:
    """Return the folder of what can be made again; raise `OutputError` where none is known."""
    given = os.environ.get("COMPRESS_CACHE")
    if given:
        return Path(given)
    try:
        usual = platformdirs.user_cache_path(_NAME, appauthor=False)
    except RuntimeError:  # there is no home
        return temporary()
    # Older versions leave a "~", which would be a folder wherever the user stands.
    return usual if usual.is_absolute() else temporary()


def data(given: str | Path | None = None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else in the cache."""
    root = given or os.environ.get("COMPRESS_DATA")
    return Path(root) if root else cache() / "data"


def temporary() -> Path:
    """Make this user's own folder among the temporary ones, which nobody else can write.

    Raises:
        OutputError: when there is no temporary folder, or somebody else holds the name.
    """
    getuid = getattr(os, "getuid", None)  # Windows has temporary folders by user
    try:
        folder = Path(tempfile.gettempdir()) / (f"{_NAME}-{getuid()}" if getuid else _NAME)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _nowhere(error.strerror or str(error)) from error
    if getuid and (found.st_uid != getuid() or found.st_mode & 0o077 or folder.is_symlink()):
        raise _nowhere(f"{folder} is not this user's alone")
    return folder


def _nowhere(why: str) -> OutputError:
    return OutputError(f"no place for files that are kept: {why}; set HOME or COMPRESS_CACHE")

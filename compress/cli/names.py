"""Where names become things: rows and tasks of the zoo, and the root of the data sets."""

from __future__ import annotations

from pathlib import Path

from compress_zoo.tasks import NAMES

from compress import places


def data_root(given: str | Path | None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else the user's cache."""
    return places.data(given)


def models(begun: str) -> list[str]:
    """Return the names of networks that begin so, for the shell's completion."""
    from compress_zoo import registry

    return [entry.name for entry in registry.entries() if entry.name.startswith(begun)]


def tasks(begun: str) -> list[str]:
    """Return the names of tasks that begin so, for the shell's completion."""
    return [name for name in NAMES if name.startswith(begun)]

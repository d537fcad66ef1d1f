"""Names that the shell completes, and the root of the data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from compress_zoo.tasks import NAMES

from compress import places


def data_root(given: str | Path | None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else the user's cache."""
    return places.data(given)


def models(begun: str) -> list[str]:
    """Return the names of networks that begin so, for the shell's completion."""
    from compress_zoo import registry

    from compress.references.kinds import KINDS

    prefixes = (kind.prefix for kind in KINDS if kind.prefix)
    return _begun(begun, [*(entry.name for entry in registry.entries()), *prefixes])


def rows(begun: str) -> list[str]:
    """Return the names of the zoo's rows that begin so."""
    from compress_zoo import registry

    return _begun(begun, [entry.name for entry in registry.entries()])


def tasks(begun: str) -> list[str]:
    """Return the names of tasks that begin so, for the shell's completion."""
    return _begun(begun, NAMES)


def facts(fact: str) -> Callable[[str], list[str]]:
    """Return what completes a fact of the zoo's rows: family, task or library."""

    def complete(begun: str) -> list[str]:
        from compress_zoo import registry

        return _begun(begun, sorted({str(getattr(entry, fact)) for entry in registry.entries()}))

    return complete


def _begun(begun: str, names: list[str] | tuple[str, ...]) -> list[str]:
    return [name for name in names if name.startswith(begun)]

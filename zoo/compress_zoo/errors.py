"""The zoo's one error, and the wordings that its parts share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from compress.errors import CompressError

_FEW = 24  # names that a reader looks through


class ZooError(CompressError):
    """One line that says what is missing or unknown, where it was looked for, and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ZooError:
    """Return the error for a name that no row has: it lists the nearest ones, or a few names."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    if near:
        hint = f"the nearest are {', '.join(near)}"
    elif len(names) <= _FEW:
        hint = f"there are {', '.join(names)}"
    else:
        hint = "compress zoo lists them"
    return ZooError(f"{kind} must be a known name, got {name!r}; {hint}")


def not_installed(package: str, extra: str) -> ZooError:
    """Return the error for an optional dependency that is not there."""
    return ZooError(
        f"{package} is not installed; install it with: pip install 'compress-toolkit[{extra}]'"
    )


def first_line(error: Exception) -> str:
    """Return the first line of what another library says."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(":")

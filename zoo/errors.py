"""The zoo's one error, and the wordings that its parts share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """One line that says what is missing or unknown, where it was looked for, and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ZooError:
    """Return the error for a name that no row has: it lists the nearest ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    hint = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(names)}"
    return ZooError(f"{kind} must be a known name, got {name!r}; {hint}")


def not_installed(package: str, extra: str) -> ZooError:
    """Return the error for an optional dependency that is not there."""
    return ZooError(
        f"{package} is not installed; bring it with: pip install 'compress-toolkit[{extra}]'"
    )

"""Print what the base install needs, with the lowest versions that it allows or the newest.

It reads the installed package, so that it needs nothing but Python.
"""

from __future__ import annotations

import sys
from importlib import metadata


def requirements(versions: str) -> list[str]:
    """Return pip's lines: as they are declared, or each at its lower bound."""
    base = [line for line in metadata.requires("compress-toolkit") or () if "extra ==" not in line]
    return [line.replace(">=", "==", 1) for line in base] if versions == "lowest" else base


if __name__ == "__main__":
    sys.stdout.writelines(line + "\n" for line in requirements(sys.argv[1]))

"""What a network returns, brought to one form: its first output decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def all_of(outputs: Any) -> tuple[Any, ...]:  # noqa: ANN401  (the network's own)
    """Return what a network returns as a tuple; a map, as of transformers, by its order."""
    if isinstance(outputs, Mapping):
        return tuple(held for held in outputs.values() if held is not None)
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def first_of(outputs: Any) -> Any:  # noqa: ANN401  (the network's own)
    """Return the first output of a network that may have several."""
    return all_of(outputs)[0]

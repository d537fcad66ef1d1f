"""Independent parts of one piece of work, on several threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_PARALLEL = 1 << 22  # from this many symbols on, a second thread pays

_P = TypeVar("_P")
_T = TypeVar("_T")


def n_threads(count: int) -> int:
    """Return how many threads are worth their start for so many symbols."""
    return n_cores() if count >= _PARALLEL else 1


def n_cores() -> int:
    """Return how many threads run at once."""
    return os.cpu_count() or 1


def side_by_side(part: Callable[[_P], _T], places: Sequence[_P], threads: int) -> list[_T]:
    """Do all parts, in the order of their places, on so many threads at most."""
    threads = min(threads, len(places))
    if threads <= 1:
        return [part(place) for place in places]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(part, places))

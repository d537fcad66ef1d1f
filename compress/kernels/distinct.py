"""The distinct values of an array, and each item's place among them, in linear time.

Private kernels: arguments are checked by the caller (`compress.artifact`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled

Items = NDArray[Any]  # unsigned integers of 1, 2, 4 or 8 bytes

LIMIT = 1 << 16  # more distinct values than this make no codebook
_SLOTS = 1 << 18  # of the hash table; a power of two well above LIMIT


def distinct(items: Items, limit: int = LIMIT) -> Items | None:
    """Return the distinct items, ascending; None where there are more than `limit`.

    >>> distinct(np.array([7, 3, 7, 7], np.uint32))
    array([3, 7], dtype=uint32)
    """
    found = np.empty(limit, items.dtype)
    count = _collect(read_only(items), found, np.full(_SLOTS, -1, np.int32))
    return None if count < 0 else np.sort(found[:count])


def ranks(items: Items, codebook: Items) -> NDArray[np.uint16]:
    """Return each item's index in the ascending `codebook`, which holds them all.

    >>> ranks(np.array([7, 3, 7], np.uint32), np.array([3, 7], np.uint32))
    array([1, 0, 1], dtype=uint16)
    """
    out = np.empty(len(items), np.uint16)
    slots = np.full(_SLOTS, -1, np.int32)
    _collect(read_only(codebook), np.empty(len(codebook), codebook.dtype), slots)
    _look_up(read_only(items), read_only(codebook), slots, out)
    return out


def read_only(items: Items) -> Items:
    """Return a view that makes the kernels compile once, wherever the items come from."""
    view = items.view()
    view.flags.writeable = False
    return view


@compiled()
def _slot(item: np.uint64) -> np.uint64:
    # Fibonacci hashing: the product's top bits depend on all bits of the item.
    return (np.uint64(item) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(46)


@compiled()
def _collect(items: Items, found: Items, slots: NDArray[np.int32]) -> int:
    """Fill `found` and the hash table in order of appearance; return the count, -1 if too many."""
    count = 0
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(items.shape[0]):
        item = items[i]
        slot = _slot(np.uint64(item))
        while slots[slot] >= 0 and found[slots[slot]] != item:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            if count == found.shape[0]:
                return -1
            found[count] = item
            slots[slot] = count
            count += 1
    return count


@compiled()
def _look_up(
    items: Items, codebook: Items, slots: NDArray[np.int32], out: NDArray[np.uint16]
) -> None:
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(items.shape[0]):
        item = items[i]
        slot = _slot(np.uint64(item))
        while codebook[slots[slot]] != item:
            slot = (slot + np.uint64(1)) & mask
        out[i] = slots[slot]

"""Items taken apart into byte planes, and put together again.

Private kernels: arguments are checked by the caller (`compress.artifact`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled
from compress.kernels.distinct import read_only

Items = NDArray[Any]  # unsigned integers of 1, 2, 4 or 8 bytes
Bytes = NDArray[np.uint8]


def split(items: Items, *, turned: bool) -> Bytes:
    """Return the bytes of items, lowest first, shape `(width, n)`: a view, unless they are turned.

    Args:
        items: shape `(n,)`.
        turned: rotate each item to the left by one bit first.

    >>> split(np.uint16([32768, 129]), turned=True).tolist()
    [[1, 2], [0, 1]]
    """
    whole = _rotated(items, 1) if turned else items
    return whole.view(np.uint8).reshape(-1, items.itemsize).T


def join(planes: Sequence[Bytes], out: Items, *, turned: bool) -> None:
    """Write the items whose bytes are given, lowest first, to `out`.

    Args:
        planes: as many as an item has bytes, each of shape `(n,)`.
        out: shape `(n,)`.
        turned: the bytes are those of the items rotated to the left by one bit.

    >>> out = np.empty(2, np.uint16)
    >>> join([np.uint8([1, 2]), np.uint8([0, 1])], out, turned=True)
    >>> out
    array([32768,   129], dtype=uint16)
    """
    rows = [read_only(plane) for plane in planes]
    if len(rows) == 4:
        _join_4(rows[0], rows[1], rows[2], rows[3], turned, out)
        return
    columns = out.view(np.uint8).reshape(-1, len(rows))
    for column, row in enumerate(rows):
        columns[:, column] = row
    if turned:
        out[:] = _rotated(out, 8 * out.itemsize - 1)


def _rotated(items: Items, n_bits: int) -> Items:
    """Return items with their bits rotated to the left."""
    kind = items.dtype.type
    whole: Items = (items << kind(n_bits)) | (items >> kind(8 * items.itemsize - n_bits))
    return whole


@compiled()
def _join_4(a: Bytes, b: Bytes, c: Bytes, d: Bytes, turned: bool, out: Items) -> None:
    for i in range(out.shape[0]):
        item = (
            np.uint32(a[i])
            | np.uint32(b[i]) << np.uint32(8)
            | np.uint32(c[i]) << np.uint32(16)
            | np.uint32(d[i]) << np.uint32(24)
        )
        out[i] = item >> np.uint32(1) | item << np.uint32(31) if turned else item

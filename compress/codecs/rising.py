"""Ascending numbers, such as a codebook, by their steps.

A step's number of bits is coded as the change from the step before, which is small and learned on
the way; its lower bits are noise and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import FormatError
from compress.kernels import mixing

Items = NDArray[Any]  # unsigned integers of 1, 2 or 4 bytes


@dataclass(frozen=True, slots=True)
class Rising:
    """Strictly ascending unsigned integers.

    >>> coded = Rising(4).encode(np.array([5, 9, 1000], np.uint32))
    >>> len(coded), Rising(4).decode(coded, 3)
    (11, array([   5,    9, 1000], dtype=uint32))
    """

    width: int  #: bytes of a number: 1, 2 or 4

    def encode(self, items: Items) -> bytes:
        """Return the numbers' steps."""
        assert (items[1:] > items[:-1]).all()
        room, n_bytes = 64 + 4 * len(items), -1
        while n_bytes < 0:
            out = np.empty(room, np.uint8)
            n_bytes = mixing.encode_rising(items.astype(np.int64), 8 * self.width, out)
            room *= 2
        return out[:n_bytes].tobytes()

    def decode(self, data: bytes | memoryview, count: int) -> Items:
        """Return the numbers, shape `(count,)`; raise `FormatError` if `data` is not theirs."""
        out = np.empty(count, np.int64)
        if not mixing.decode_rising(np.array(memoryview(data), np.uint8), 8 * self.width, out):
            raise FormatError(f"{len(data)} bytes are not {count} ascending numbers")
        return out.astype(f"<u{self.width}")

"""Ascending numbers, such as a codebook, by their steps.

A step's number of bits is coded as the change from the step before, which is small and learned on
the way; its lower bits are noise and stay as they are. Bits that are zero at the end of all
numbers, as those of rounded floats are, take no room.
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
    """Strictly ascending unsigned integers that end in `shift` zero bits.

    >>> codec = Rising.of_items(np.array([512, 1024, 99328], np.uint32))
    >>> codec.shift
    9
    >>> codec.decode(codec.encode(np.array([512, 1024, 99328], np.uint32)), 3)
    array([  512,  1024, 99328], dtype=uint32)
    """

    width: int  #: bytes of a number: 1, 2 or 4
    shift: int  #: zero bits at the end of each, below the bits of a number

    def __post_init__(self) -> None:
        if not 0 <= self.shift < 8 * self.width:
            raise FormatError(f"numbers of {self.width} bytes cannot end in {self.shift} zero bits")

    @classmethod
    def of_items(cls, items: Items) -> Rising:
        """Return the codec that is smallest for some numbers."""
        used = int(np.bitwise_or.reduce(items))
        return cls(items.itemsize, (used & -used).bit_length() - 1 if used else 0)

    def encode(self, items: Items) -> bytes:
        """Return the numbers' steps."""
        assert (items[1:] > items[:-1]).all()
        numbers = items.astype(np.int64) >> self.shift
        room, n_bytes = 64 + 4 * len(items), -1
        while n_bytes < 0:
            out = np.empty(room, np.uint8)
            n_bytes = mixing.encode_rising(numbers, self._bits, out)
            room *= 2
        return out[:n_bytes].tobytes()

    def decode(self, data: bytes | memoryview, count: int) -> Items:
        """Return the numbers, shape `(count,)`; raise `FormatError` if `data` is not theirs."""
        if count > 1 << self._bits:
            raise FormatError(f"there are no {count} numbers of {self._bits} bits")
        out = np.empty(count, np.int64)
        if not mixing.decode_rising(np.array(memoryview(data), np.uint8), self._bits, out):
            raise FormatError(f"{len(data)} bytes are not {count} ascending numbers")
        return (out << self.shift).astype(f"<u{self.width}")

    @property
    def _bits(self) -> int:
        return 8 * self.width - self.shift

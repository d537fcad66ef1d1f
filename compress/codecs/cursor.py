"""Reading a byte string from front to back, every step checked against its end."""

from __future__ import annotations

import sys

from compress.errors import FormatError

_MAX_VARINT_BYTES = 9  # 63 bits


class Cursor:
    """A place in a byte string.

    >>> cursor = Cursor(varint(300) + b"ab")
    >>> cursor.varint(), bytes(cursor.take(2)), cursor.at
    (300, b'ab', 4)
    """

    __slots__ = ("_data", "_version", "at")

    def __init__(self, data: bytes | memoryview, version: int = sys.maxsize) -> None:
        """Begin at the front of `data`, which are in a format of this `version`."""
        self._data = memoryview(data).toreadonly()
        self._version = version
        self.at = 0

    def require(self, version: int) -> None:
        """Raise `FormatError` where the format is older than `version`."""
        if self._version < version:
            raise FormatError(f"what came with format {version} is in a file of {self._version}")

    def take(self, n_bytes: int) -> memoryview:
        """Return the next bytes and step over them."""
        if n_bytes > len(self._data) - self.at:
            raise FormatError(f"{n_bytes} bytes wanted, {len(self._data) - self.at} left")
        self.at += n_bytes
        return self._data[self.at - n_bytes : self.at]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def peek(self) -> int:
        """Return the next byte without stepping over it."""
        byte = self.byte()
        self.at -= 1
        return byte

    def ahead(self, n_bytes: int) -> memoryview:
        """Return the next bytes, fewer where there are not so many, without stepping over them."""
        return self._data[self.at : self.at + n_bytes]

    def varint(self) -> int:
        """Return the next LEB128 number, in [0, 2**63), in its shortest form."""
        value = 0
        for i in range(_MAX_VARINT_BYTES):
            byte = self.byte()
            value |= (byte & 127) << (7 * i)
            if byte < 128:
                if byte == 0 and i > 0:
                    raise FormatError("a number is not in its shortest form")
                return value
        raise FormatError("a number has more than 63 bits")

    def finish(self) -> None:
        """Raise `FormatError` unless everything has been read."""
        if self.at != len(self._data):
            raise FormatError(f"{len(self._data) - self.at} bytes are left over")


def varint(value: int) -> bytes:
    """Return a number in [0, 2**63) as LEB128, in its shortest form."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)

"""What a target is told by the first of a fuzzer's bytes."""

from __future__ import annotations


class Fields:
    """Numbers from the front of some bytes; behind their end stand zeros."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n_bytes: int) -> bytes:
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def number(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "little")

    def part(self) -> bytes:
        """Return bytes that stand behind their size."""
        return self.take(self.number(2))

    def rest(self) -> bytes:
        return self.data[self.at :]

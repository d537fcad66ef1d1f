"""Fields of a fixed number of bits, and the case of one value only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compress.codecs.huffman import Symbols, symbol_dtype
from compress.errors import FormatError
from compress.kernels import bits


@dataclass(frozen=True, slots=True)
class FixedWidth:
    """Symbols of `bits` bits each, least significant bit first; the last byte is zero padded.

    >>> FixedWidth(5).encode(np.array([1, 31], np.uint16)).hex()
    'e103'
    """

    bits: int  #: bits a symbol, in [1, 16]

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16:
            raise FormatError(f"a field has 1 to 16 bits, got {self.bits}")

    def encode(self, symbols: Symbols) -> bytes:
        """Return the fields of all symbols, each below `2**bits`."""
        assert symbols.max(initial=0) >> self.bits == 0
        if self.bits == 8:
            return symbols.astype(np.uint8).tobytes()
        out = np.zeros(-(-len(symbols) * self.bits // 8), np.uint8)
        bits.pack_fields(symbols, self.bits, out)
        return out.tobytes()

    def decode(self, data: bytes | memoryview, count: int) -> Symbols:
        """Return the symbols, shape `(count,)`; raise `FormatError` if `data` is not theirs."""
        if len(data) != -(-count * self.bits // 8):
            raise FormatError(f"{len(data)} bytes are not {count} fields of {self.bits} bits")
        if self.bits == 8:
            return np.frombuffer(data, np.uint8)
        out = np.empty(count, symbol_dtype(1 << self.bits))
        if bits.unpack_fields(np.frombuffer(data, np.uint8), self.bits, out):
            raise FormatError("the padding of a bit stream is not zero")
        return out


@dataclass(frozen=True, slots=True)
class Constant:
    """One symbol, as often as needed: no bytes at all.

    >>> Constant(7).decode(b"", 3)
    array([7, 7, 7], dtype=uint8)
    """

    symbol: int  #: the symbol, in [0, 65535]

    def __post_init__(self) -> None:
        if not 0 <= self.symbol < 1 << 16:
            raise FormatError(f"a symbol is in [0, 65535], got {self.symbol}")

    def encode(self, symbols: Symbols) -> bytes:
        """Return nothing: the symbols are `symbol`, all of them."""
        assert (symbols == self.symbol).all()
        return b""

    def decode(self, data: bytes | memoryview, count: int) -> Symbols:
        """Return the symbols, shape `(count,)`; raise `FormatError` if there is any data."""
        if len(data):
            raise FormatError(f"a constant has no data, got {len(data)} bytes")
        return np.full(count, self.symbol, symbol_dtype(self.symbol + 1))

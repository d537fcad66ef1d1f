"""Targets that decode symbols or one tensor."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from compress.codecs import levels, stream
from compress.codecs.cursor import Cursor
from compress.codecs.fixed import Constant, FixedWidth
from compress.codecs.huffman import CHUNK, Huffman
from compress.codecs.levels import Levels
from compress.codecs.rising import Rising
from compress.errors import FormatError
from compress.kernels import mixing
from tests.artifact import reader
from tests.artifact.test_tensors import ITEMS, agreed, decode
from tests.fuzz.fields import Fields

PLAIN = 300  # symbols or items that the second reader is asked for, too
SMALL_CHUNK = 64  # symbols, where a whole chunk of the format is too much to find by chance
SHAPES = [(), (1,), (64,), (12, 9), (4, 3, 9), (2, 3, 2, 2), (67,), (299,), (1, 64), (300, 301)]


def huffman_codec(data: bytes) -> bool:
    """A byte of flags, the lengths or counts behind their number, the symbols' number, chunks."""
    fields = Fields(data)
    flags, numbers = fields.number(1), list(fields.take(fields.number(1)))
    count, coded = fields.number(2), fields.rest()
    chunk = SMALL_CHUNK if flags & 2 else CHUNK
    try:
        codec = Huffman(bytes(numbers), chunk) if flags & 1 else of_counts(numbers, chunk)
        symbols = codec.decode(coded, count)
    except FormatError:
        return False
    assert symbols.shape == (count,)
    assert codec.encode(symbols.astype(np.uint16)) == coded
    return True


def of_counts(numbers: list[int], chunk: int = CHUNK) -> Huffman:
    # Squares: skewed enough for codewords that are longer than a byte.
    code = Huffman.of_counts(np.array([*(n**2 for n in numbers), 1, 1]))
    return replace(code, chunk=chunk)


def fixed_codec(data: bytes) -> bool:
    """A byte, bits or 0 for a constant; the constant; the symbols' number; the fields."""
    fields = Fields(data)
    bits, symbol, count, coded = fields.number(1), fields.number(3), fields.number(2), fields.rest()
    try:
        codec = FixedWidth(bits) if bits else Constant(symbol)
        symbols = codec.decode(coded, count)
    except FormatError:
        return False
    assert symbols.shape == (count,)
    assert codec.encode(symbols) == coded
    return True


def stream_of_symbols(data: bytes) -> bool:
    """The symbols' number, a stream."""
    fields = Fields(data)
    count, coded = fields.number(2), fields.rest()
    plain = plainly(lambda: reader.symbols(reader.Bytes(coded), count)) if count <= PLAIN else None
    cursor = Cursor(coded)
    try:
        found = stream.read(cursor, count)
        symbols = found.decode()
    except FormatError:
        assert plain is None
        return False
    assert symbols.shape == (count,)
    assert count > PLAIN or symbols.tolist() == plain
    assert stream.encode(symbols.astype(np.uint16), found.codec) == coded[: cursor.at]
    return True


def levels_codec(data: bytes) -> bool:
    """Flags, shape, size of the alphabet, code of zero, chunks behind their sizes, the last one."""
    fields = Fields(data)
    flags, shape = fields.number(1), SHAPES[fields.number(1) % (len(SHAPES) - 1)]
    count, n_codes = math.prod(shape), fields.number(2) % levels.MAX_CODES + 1
    with small_chunks(flags & 1):
        codec = Levels.of_shape(shape, count, n_codes=n_codes, zero=fields.number(2) % n_codes)
        chunks = [fields.part() for _ in range(codec.n_chunks(count) - 1)] + [fields.rest()]
        begin = learned(codec) if flags & 2 else mixing.fresh_model()
        asks = flags & 7 == 4
        plain = plainly(lambda: plain_levels(codec, chunks[0], count)) if asks else None
        try:
            codes, left = codec.decode(chunks, count, mixing.copy_model(begin))
        except FormatError:
            assert plain is None
            return False
        again, left_again = codec.encode(codes, begin, max(map(len, chunks)))
    assert again == chunks
    assert left_again is not None
    assert all(map(np.array_equal, left, left_again))
    assert not asks or codes.tolist() == plain
    return True


def plain_levels(codec: Levels, chunk: bytes, count: int) -> list[int]:
    bits, allowed = reader.Interval(chunk), range(-codec.zero, codec.n_codes - codec.zero)
    found = reader.Model().levels(bits, count, codec.columns, codec.kernel, allowed)
    bits.finish()
    return [level + codec.zero for level in found]


def learned(codec: Levels) -> mixing.Model:
    """Return a model that has seen some codes."""
    codes = (np.arange(200) % 7 % codec.n_codes).astype(np.uint16)
    _, left = codec.encode(codes, mixing.fresh_model(), 1 << 12)
    assert left is not None
    return left


def rising_codec(data: bytes) -> bool:
    """Bytes of a number, shift, how many numbers, their steps."""
    fields = Fields(data)
    width, shift = (1, 2, 4)[fields.number(1) % 3], fields.number(1)
    count, coded = fields.number(2), fields.rest()
    plain = None
    if count <= PLAIN and shift < 8 * width:
        plain = plainly(lambda: reader.steps(coded, count, 8 * width - shift))
    try:
        codec = Rising(width, shift)
        items = codec.decode(coded, count)
    except FormatError:
        assert plain is None
        return False
    assert items.shape == (count,)
    assert items.dtype.itemsize == width
    assert (items[1:] > items[:-1]).all()
    assert count > PLAIN or [item << shift for item in plain or []] == items.tolist()
    assert codec.encode(items) == coded
    return True


def tensor(data: bytes) -> bool:
    """An item, a shape, a tensor."""
    fields = Fields(data)
    item, shape = ITEMS[fields.number(1) % len(ITEMS)], SHAPES[fields.number(1) % len(SHAPES)]
    if math.prod(shape) <= PLAIN:
        return agreed(fields.rest(), item, shape) is not None
    try:
        decode(fields.rest(), item, shape)
    except FormatError:
        return False
    return True


def plainly(read: Callable[[], list[int]]) -> list[int] | None:
    """Return what the second reader reads; None where it refuses."""
    try:
        return read()
    except reader.RefusedError:
        return None


@contextlib.contextmanager
def small_chunks(small: int) -> Iterator[None]:
    """Have levels in chunks of `SMALL_CHUNK`, if told."""
    with patch.object(levels, "CHUNK", SMALL_CHUNK) if small else contextlib.nullcontext():
        yield

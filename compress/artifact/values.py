"""How a tensor's values are told: as byte planes, or by a codebook and codes; see SPEC.md.

What stands for the tensor's positions is in `tensors`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.codecs import stream
from compress.codecs.cursor import Cursor, varint
from compress.codecs.rising import Rising
from compress.codecs.stream import Found
from compress.errors import FormatError
from compress.kernels import bits, distinct, planes
from compress.kernels.mixing import Model

Items = NDArray[Any]  # unsigned integers of 1, 2, 4 or 8 bytes
Ledger = Counter[str]  #: bytes by kind: codes, gaps, codebooks, tables, dense, header

CODEBOOK, RISING = 8, 16  # in a tensor's head: there is a codebook; it is told by steps


@dataclass(frozen=True, slots=True)
class Item:
    """What one item of a tensor is."""

    width: Literal[1, 2, 4, 8]  #: bytes
    is_float: bool  #: sign, exponent and fraction: worth a rotation before byte planes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The little-endian unsigned integer of this width."""
        return np.dtype(f"<u{self.width}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to code something: its size, exact but for chunks of streams, and how to do it."""

    n_bytes: int
    build: Callable[[], bytes]
    head: int = 0  #: of the form; 0 where all items have a place and are dense
    model: Model | None = None  #: what the next tensor can go on with, where levels are mixed


@dataclass(frozen=True, slots=True)
class Codebook:
    """A codebook that was found in a file and not decoded yet."""

    item: Item
    count: int  #: centroids
    codec: Rising | None  #: of steps
    coded: tuple[Found, ...] | memoryview  #: byte planes, or steps

    def decode(self) -> Items:
        """Return the centroids, ascending, shape `(count,)`."""
        if self.codec is not None:
            assert isinstance(self.coded, memoryview)
            return self.codec.decode(self.coded, self.count)
        assert isinstance(self.coded, tuple)
        book = join_planes(self.coded, self.item, self.count)
        if (book[1:] <= book[:-1]).any():
            raise FormatError("a codebook is not ascending")
        return book


def plan_values(values: Items, item: Item) -> Plan:
    """Choose between byte planes, and a codebook and codes."""
    dense = plan_planes(values, item)
    codebook = distinct.distinct(values) if len(values) else None
    if codebook is None:
        return dense
    ranks = distinct.ranks(values, codebook)
    counts = bits.count(ranks, len(codebook))
    codec = stream.choose(counts)
    book = plan_codebook(codebook, item)
    size = book.n_bytes + stream.n_bytes(codec, counts)
    if size >= dense.n_bytes:
        return dense
    return Plan(size, lambda: book.build() + stream.encode(ranks, codec), CODEBOOK | book.head)


def plan_planes(items: Items, item: Item) -> Plan:
    """Code items as byte planes: what fits values that hardly repeat."""
    # A rotation puts a float's exponent, which is predictable, into one byte of its own.
    rows = planes.split(items, turned=item.is_float)
    sizes, codings = zip(
        *(stream.plan_bytes(np.ascontiguousarray(row)) for row in rows), strict=True
    )
    return Plan(
        sum(sizes), lambda: b"".join(map(stream.encode, map(np.ascontiguousarray, rows), codings))
    )


def plan_codebook(codebook: Items, item: Item) -> Plan:
    """Choose between planes and steps for ascending centroids; their number stands before them."""
    count, dense = varint(len(codebook)), plan_planes(codebook, item)
    if item.width <= 4:
        codec = Rising.of_items(codebook)
        steps = codec.encode(codebook)
        coded = count + bytes([codec.shift]) + varint(len(steps)) + steps
        if len(coded) < len(count) + dense.n_bytes:
            return Plan(len(coded), lambda: coded, RISING)
    return Plan(len(count) + dense.n_bytes, lambda: count + dense.build())


def read_planes(
    cursor: Cursor, item: Item, count: int, kind: str, ledger: Ledger
) -> tuple[Found, ...]:
    """Find the next byte planes of `count` items and enter them in the ledger."""
    return tuple(counted(stream.read(cursor, count), kind, ledger) for _ in range(item.width))


def join_planes(
    found: tuple[Found, ...], item: Item, count: int, out: Items | None = None
) -> Items:
    """Decode byte planes, shape `(count,)`, to `out` if given."""
    out = np.empty(count, item.dtype) if out is None else out
    planes.join([plane.decode_bytes() for plane in found], out, turned=item.is_float)
    return out


def read_codebook(cursor: Cursor, head: int, item: Item, n_values: int, ledger: Ledger) -> Codebook:
    """Find the next codebook, of a tensor with this head and so many values."""
    count = cursor.varint()
    if not 1 <= count <= min(distinct.LIMIT, n_values):
        raise FormatError(f"a codebook of {count} does not fit {n_values} values")
    if not head & RISING:
        return Codebook(item, count, None, read_planes(cursor, item, count, "codebooks", ledger))
    if item.width > 4:
        raise FormatError(f"a codebook of {item.width}-byte items has no steps")
    cursor.require(2)
    begin = cursor.at
    codec = Rising(item.width, cursor.byte())
    steps = cursor.take(cursor.varint())
    ledger["codebooks"] += len(steps)
    ledger["tables"] += cursor.at - begin - len(steps)
    return Codebook(item, count, codec, steps)


def counted(found: Found, kind: str, ledger: Ledger) -> Found:
    """Enter a stream in the ledger, and return it."""
    ledger[kind] += found.data_bytes
    ledger["tables"] += found.table_bytes
    return found

"""One tensor's items as bytes, losslessly, in the smallest of the forms of SPEC.md.

A form is a way to tell positions (all, the nonzeros by gaps, or by a bit mask; scanned in
storage order or with the first axis last) and a way to tell values (codebook and codes, or byte
planes). Nothing but the values is looked at, so any tensor is coded, whoever made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from compress.codecs import stream
from compress.codecs.cursor import Cursor, varint
from compress.codecs.stream import Stream
from compress.errors import FormatError
from compress.kernels import bits, distinct, sparse

Items = NDArray[Any]  # unsigned integers of 1, 2, 4 or 8 bytes
Ledger = Counter[str]  #: bytes by kind: codes, gaps, codebooks, tables, dense, header
PositionsKind = Literal["all", "gaps", "mask"]

_POSITIONS: tuple[PositionsKind, ...] = ("all", "gaps", "mask")  # bits 0 and 1 of the head
_TRANSPOSED = 4
_CODEBOOK = 8
_GAP_BITS = range(2, 11)  # what the encoder tries; the format allows 1 to 16


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A tensor that was found in a file and not decoded yet."""

    item: Item
    count: int  #: items
    columns: int  #: 1 in storage order; else items come down the columns of `(rows, columns)`
    positions: PositionsKind
    gap_bits: int  #: bits of a gap before Huffman coding; 0 without gaps
    places: Stream | None  #: gaps or the bytes of the mask
    n_values: int  #: items that have a value of their own: all, or the nonzeros
    codebook: tuple[Stream, ...]  #: byte planes of the codebook, if there is one
    n_centroids: int  #: items of the codebook
    values: tuple[Stream, ...]  #: the codes, or the byte planes
    ledger: Ledger

    @property
    def form(self) -> str:
        """How positions and values are coded, in words."""
        values = f"{self.n_centroids} centroids" if self.codebook else "dense"
        scan = ", transposed" if self.columns > 1 else ""
        match self.positions:
            case "all":
                return values
            case "gaps":
                return f"{values}, gaps of {self.gap_bits} bits{scan}"
            case "mask":
                return f"{values}, mask{scan}"
            case _:
                assert_never(self.positions)

    def decode_into(self, out: Items) -> None:
        """Write the items to `out`, shape `(count,)`; raise `FormatError` where they are none."""
        values = self._values(out if self.positions == "all" else None)
        if self.places is None:
            return
        out[:] = 0
        rows = self.count // self.columns
        if self.positions == "gaps":
            filler = (1 << self.gap_bits) - 1
            gaps = self.places.decode()
            if not sparse.put_gaps(gaps, filler, values, rows, self.columns, out):
                raise FormatError("the gaps of a tensor do not fit its size")
            return
        mask = self.places.decode_bytes()
        n_set = int(np.bitwise_count(mask).sum())
        if n_set != self.n_values or (self.count % 8 and mask[-1] >> (self.count % 8)):
            raise FormatError("the bit mask of a tensor does not fit its size")
        sparse.put_mask(mask, values, rows, self.columns, out)

    def _values(self, out: Items | None) -> Items:
        """Return the values in scan order, in `out` if given."""
        if not self.codebook:
            return _join_planes(self.values, self.item, self.n_values, out)
        codebook = _join_planes(self.codebook, self.item, self.n_centroids, None)
        if (codebook[1:] <= codebook[:-1]).any():
            raise FormatError("a codebook is not ascending")
        codes = self.values[0].decode()
        if len(codes) and int(codes.max()) >= len(codebook):
            raise FormatError("a code is not in its codebook")
        out = np.empty(self.n_values, self.item.dtype) if out is None else out
        sparse.take_codes(codebook, codes, out)
        return out


def encode(items: Items, item: Item, shape: tuple[int, ...]) -> bytes:
    """Return the smallest form of a tensor's items, given flat in storage order."""
    return plan(items, item, shape).build()


def plan(items: Items, item: Item, shape: tuple[int, ...]) -> Plan:
    """Choose the smallest form; `shape` has as many elements as `items`, or is flat."""
    nonzero = items != 0
    n_nonzero = int(np.count_nonzero(nonzero))
    plans: list[Plan] = []
    if 4 * n_nonzero > len(items):
        values = _plan_values(items, item)
        head = values.head
        plans.append(Plan(1 + values.n_bytes, lambda: bytes([head]) + values.build(), head))
    if 4 * n_nonzero < 3 * len(items):
        scans = dict.fromkeys((1, _columns(shape, len(items))))
        plans.extend(_plan_sparse(items, nonzero, item, columns) for columns in scans)
    return min(plans, key=lambda plan: plan.n_bytes)


def plan_planes(items: Items, item: Item) -> Plan:
    """Code items as byte planes: what fits values that hardly repeat."""
    # A rotation puts a float's exponent, which is predictable, into one byte of its own.
    turned = _rotate(items, 1) if item.is_float else items
    planes = turned.view(np.uint8).reshape(-1, item.width).T
    counts = [bits.count(np.ascontiguousarray(plane), 1 << 8) for plane in planes]
    codecs = [stream.choose(row) for row in counts]
    size = sum(map(stream.n_bytes, codecs, counts))
    return Plan(
        size, lambda: b"".join(map(stream.encode, map(np.ascontiguousarray, planes), codecs))
    )


def read(cursor: Cursor, item: Item, shape: tuple[int, ...], count: int) -> Coded:
    """Find the next tensor of `count` items, all bounds checked; nothing is decoded yet."""
    ledger: Ledger = Counter()
    begin = cursor.at
    head = cursor.byte()
    if head >= 16 or head & 3 >= len(_POSITIONS):
        raise FormatError(f"no tensor has the form {head}")
    positions = _POSITIONS[head & 3]
    columns = _columns(shape, count) if head & _TRANSPOSED else 1
    if head & _TRANSPOSED and (columns == 1 or positions == "all"):
        raise FormatError(f"a tensor of shape {shape} has no form {head}")
    n_values, gap_bits, places = count, 0, None
    if positions != "all":
        n_values = cursor.varint()
        if n_values > count:
            raise FormatError(f"{n_values} nonzeros do not fit in {count} items")
        n_places = -(-count // 8)
        if positions == "gaps":
            gap_bits = cursor.byte()
            if not 1 <= gap_bits <= 16:
                raise FormatError(f"a gap has 1 to 16 bits, got {gap_bits}")
            n_places = cursor.varint()
            if n_places > n_values + count // ((1 << gap_bits) - 1):
                raise FormatError(f"{n_places} gaps do not fit in {count} items")
        places = _counted(stream.read(cursor, n_places), "gaps", ledger)
    codebook: tuple[Stream, ...] = ()
    values: tuple[Stream, ...]
    n_centroids = 0
    if head & _CODEBOOK:
        codebook, n_centroids = _read_codebook(cursor, item, n_values, ledger)
        values = (_counted(stream.read(cursor, n_values), "codes", ledger),)
    else:
        values = read_planes(cursor, item, n_values, "dense", ledger)
    ledger["header"] += cursor.at - begin - ledger.total()
    return Coded(
        item=item,
        count=count,
        columns=columns,
        positions=positions,
        gap_bits=gap_bits,
        places=places,
        n_values=n_values,
        codebook=codebook,
        n_centroids=n_centroids,
        values=values,
        ledger=ledger,
    )


def read_planes(
    cursor: Cursor, item: Item, count: int, kind: str, ledger: Ledger
) -> tuple[Stream, ...]:
    """Find the next byte planes of `count` items and enter them in the ledger."""
    return tuple(_counted(stream.read(cursor, count), kind, ledger) for _ in range(item.width))


def join_planes(planes: tuple[Stream, ...], item: Item, count: int) -> Items:
    """Decode byte planes, shape `(count,)`."""
    return _join_planes(planes, item, count, None)


def _plan_values(values: Items, item: Item) -> Plan:
    planes = plan_planes(values, item)
    codebook = distinct.distinct(values) if len(values) else None
    if codebook is None:
        return planes
    ranks = distinct.ranks(values, codebook)
    counts = bits.count(ranks, len(codebook))
    codec = stream.choose(counts)
    book = plan_planes(codebook, item)
    n_centroids = varint(len(codebook))
    size = len(n_centroids) + book.n_bytes + stream.n_bytes(codec, counts)
    if size >= planes.n_bytes:
        return planes
    return Plan(
        size,
        lambda: n_centroids + book.build() + stream.encode(ranks, codec),
        _CODEBOOK,
    )


def _plan_sparse(items: Items, nonzero: NDArray[np.bool_], item: Item, columns: int) -> Plan:
    """Choose between gaps and a mask for one order of the scan."""
    rows = len(items) // columns
    scanned = nonzero if columns == 1 else nonzero.reshape(rows, columns).T.ravel()
    positions = np.flatnonzero(scanned)
    places = positions if columns == 1 else positions % rows * columns + positions // rows
    values = _plan_values(items[places], item)
    head = values.head | (_TRANSPOSED if columns > 1 else 0)
    gaps_head, mask_head = head | _POSITIONS.index("gaps"), head | _POSITIONS.index("mask")

    mask = np.packbits(scanned, bitorder="little")
    mask_counts = bits.count(mask, 1 << 8)
    mask_bytes = stream.n_bytes(stream.choose(mask_counts), mask_counts)
    gaps_bytes, gap_bits = min(
        (1 + len(varint(int(counts.sum()))) + stream.n_bytes(stream.choose(counts), counts), n_bits)
        for n_bits in _GAP_BITS
        for counts in [sparse.gap_counts(positions, n_bits)]
    )
    n_values = varint(len(positions))
    rest_bytes = 1 + len(n_values) + values.n_bytes

    def with_mask() -> bytes:
        return bytes([mask_head]) + n_values + stream.encode(mask) + values.build()

    def with_gaps() -> bytes:
        gaps = sparse.to_gaps(positions, gap_bits)
        coded = bytes([gap_bits]) + varint(len(gaps)) + stream.encode(gaps)
        return bytes([gaps_head]) + n_values + coded + values.build()

    if mask_bytes < gaps_bytes:
        return Plan(rest_bytes + mask_bytes, with_mask, mask_head)
    return Plan(rest_bytes + gaps_bytes, with_gaps, gaps_head)


def _columns(shape: tuple[int, ...], count: int) -> int:
    """Return the columns of the transposed scan; 1 where there is none, or it is the plain one."""
    return count // shape[0] if len(shape) > 1 and shape[0] > 1 and count % shape[0] == 0 else 1


def _read_codebook(
    cursor: Cursor, item: Item, n_values: int, ledger: Ledger
) -> tuple[tuple[Stream, ...], int]:
    n_centroids = cursor.varint()
    if not 1 <= n_centroids <= min(distinct.LIMIT, n_values):
        raise FormatError(f"a codebook of {n_centroids} does not fit {n_values} values")
    return read_planes(cursor, item, n_centroids, "codebooks", ledger), n_centroids


def _counted(found: Stream, kind: str, ledger: Ledger) -> Stream:
    ledger[kind] += len(found.data)
    ledger["tables"] += found.table_bytes
    return found


def _join_planes(planes: tuple[Stream, ...], item: Item, count: int, out: Items | None) -> Items:
    out = np.empty(count, item.dtype) if out is None else out
    columns = out.view(np.uint8).reshape(-1, item.width)
    for j, plane in enumerate(planes):
        columns[:, j] = plane.decode_bytes()
    if item.is_float:
        out[:] = _rotate(out, 8 * item.width - 1)
    return out


def _rotate(items: Items, n_bits: int) -> Items:
    """Rotate each item's bits to the left."""
    width = 8 * items.dtype.itemsize
    kind = items.dtype.type
    turned: Items = (items << kind(n_bits)) | (items >> kind(width - n_bits))
    return turned

"""One tensor's items as bytes, losslessly, in the smallest of the forms of SPEC.md.

A form is a way to tell positions (all, the nonzeros by gaps, or by a bit mask; scanned in
storage order or with the first axis last) and a way to tell values (codebook and codes, or byte
planes), or both at once: the codes of all items, mixed from their contexts. Nothing but the values
is looked at, so any tensor is coded, whoever made it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_never

from compress.artifact.values import (
    CODEBOOK,
    RISING,
    Codebook,
    Item,
    Items,
    Ledger,
    Plan,
    counted,
    join_planes,
    plan_codebook,
    plan_values,
    read_codebook,
    read_planes,
)
from compress.codecs import levels, stream
from compress.codecs.cursor import Cursor, varint
from compress.codecs.levels import Levels
from compress.codecs.stream import Found
from compress.errors import FormatError
from compress.kernels import bits, distinct, mixing, sparse
from compress.kernels.mixing import Model

PositionsKind = Literal["all", "gaps", "mask", "levels"]

_POSITIONS: tuple[PositionsKind, ...] = ("all", "gaps", "mask", "levels")  # bits 0 and 1 of a head
_TRANSPOSED = 4  # of gaps and masks
_GOES_ON = 4  # of levels
_GAP_BITS = range(2, 11)  # what the encoder tries; the format allows 1 to 16


@dataclass(frozen=True, slots=True)
class Mixed:
    """Levels that were found in a file and not decoded yet."""

    codec: Levels
    n_first: int  #: centroids that stand last in the order of the codes
    chunks: tuple[memoryview, ...]
    goes_on: bool  #: the model is the one that the levels before have left


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A tensor that was found in a file and not decoded yet."""

    item: Item
    count: int  #: items
    columns: int = 1  #: 1 in storage order; else items come down the columns of `(rows, columns)`
    positions: PositionsKind
    gap_bits: int = 0  #: bits of a gap before Huffman coding; 0 without gaps
    places: Found | None = None  #: gaps or the bytes of the mask
    n_values: int  #: items that have a value of their own: all, or the nonzeros
    codebook: Codebook | None
    values: tuple[Found, ...] = ()  #: the codes, or the byte planes
    mixed: Mixed | None = None  #: the codes of all items
    ledger: Ledger

    @property
    def form(self) -> str:
        """How positions and values are coded, in words."""
        values = self._values_in_words()
        scan = ", transposed" if self.columns > 1 else ""
        match self.positions:
            case "all":
                return values
            case "gaps":
                return f"{values}, gaps of {self.gap_bits} bits{scan}"
            case "mask":
                return f"{values}, mask{scan}"
            case "levels":
                return f"{values}, mixed"
            case _:
                assert_never(self.positions)

    def _values_in_words(self) -> str:
        if self.codebook is None:
            return "dense"
        n = self.codebook.count
        if 2 * n > self.n_values > 1:  # hardly any value is shared: it is their order that is coded
            return f"{n} sorted values"
        return f"{n} centroid{'s' * (n != 1)}"

    def decode_into(self, out: Items, learned: Model | None = None) -> Model | None:
        """Write the items to `out`, shape `(count,)`.

        Args:
            out: receives the items.
            learned: the model that the levels before have left, for levels that go on; it changes.

        Returns:
            The model that is left, of levels.

        Raises:
            FormatError: where they are no items.
        """
        if self.mixed is not None:
            return self._decode_levels(self.mixed, out, learned)
        values = self._values(out if self.positions == "all" else None)
        if self.places is None:
            return None
        out[:] = 0
        rows = self.count // self.columns
        if self.positions == "gaps":
            filler = (1 << self.gap_bits) - 1
            gaps = self.places.decode()
            if not sparse.put_gaps(gaps, filler, values, rows, self.columns, out):
                raise FormatError("the gaps of a tensor do not fit its size")
            return None
        mask = self.places.decode_bytes()
        n_set = int(np.bitwise_count(mask).sum())
        if n_set != self.n_values or (self.count % 8 and mask[-1] >> (self.count % 8)):
            raise FormatError("the bit mask of a tensor does not fit its size")
        sparse.put_mask(mask, values, rows, self.columns, out)
        return None

    def _values(self, out: Items | None) -> Items:
        """Return the values in scan order, in `out` if given."""
        if self.codebook is None:
            return join_planes(self.values, self.item, self.n_values, out)
        codebook = self.codebook.decode()
        codes = self.values[0].decode()
        if len(codes) and int(codes.max()) >= len(codebook):
            raise FormatError("a code is not in its codebook")
        out = np.empty(self.n_values, self.item.dtype) if out is None else out
        sparse.take_codes(codebook, codes, out)
        return out

    def _decode_levels(self, mixed: Mixed, out: Items, learned: Model | None) -> Model:
        assert self.codebook is not None
        if mixed.goes_on and learned is None:
            raise FormatError("the levels of a tensor go on with those of none")
        model = learned if mixed.goes_on and learned is not None else mixing.fresh_model()
        book = _by_value(self.codebook.decode(), self.item, mixed.n_first)
        codes, model = mixed.codec.decode(mixed.chunks, self.count, model)
        sparse.take_codes(book, codes, out)
        return model


def encode(items: Items, item: Item, shape: tuple[int, ...]) -> bytes:
    """Return the smallest form of a tensor's items, given flat in storage order."""
    return plan(items, item, shape).build()


def plan(
    items: Items,
    item: Item,
    shape: tuple[int, ...],
    *,
    mixes: bool = False,
    learned: Model | None = None,
) -> Plan:
    """Choose the smallest form.

    Args:
        items: flat, in storage order.
        item: what they are.
        shape: has as many elements as `items`, or is flat.
        mixes: try levels mixed from their contexts, too: smaller, and slower to decode.
        learned: the model that such levels may go on with; it is left as it is.
    """
    nonzero = items != 0
    n_nonzero = int(np.count_nonzero(nonzero))
    plans: list[Plan] = []
    if 4 * n_nonzero > len(items):
        values = plan_values(items, item)
        head = values.head
        plans.append(Plan(1 + values.n_bytes, lambda: bytes([head]) + values.build(), head))
    if 4 * n_nonzero < 3 * len(items):
        scans = dict.fromkeys((1, _columns(shape, len(items))))
        plans.extend(_plan_sparse(items, nonzero, item, columns) for columns in scans)
    smallest = min(plans, key=lambda plan: plan.n_bytes)
    mixed = _plan_levels(items, item, shape, learned, smallest.n_bytes) if mixes else None
    return smallest if mixed is None else mixed


def read(cursor: Cursor, item: Item, shape: tuple[int, ...], count: int) -> Coded:
    """Find the next tensor of `count` items, all bounds checked; nothing is decoded yet."""
    ledger: Ledger = Counter()
    begin = cursor.at
    head = cursor.byte()
    if head & ~(CODEBOOK | RISING | _TRANSPOSED | 3) or head & (CODEBOOK | RISING) == RISING:
        raise FormatError(f"no tensor has the form {head}")
    if head & 3 == _POSITIONS.index("levels"):
        coded = _read_levels(cursor, head, item, shape, count, ledger)
    else:
        coded = _read_placed(cursor, head, item, shape, count, ledger)
    ledger["header"] += cursor.at - begin - ledger.total()
    return coded


def _read_placed(
    cursor: Cursor, head: int, item: Item, shape: tuple[int, ...], count: int, ledger: Ledger
) -> Coded:
    """Find positions, then values."""
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
        places = counted(stream.read(cursor, n_places), "gaps", ledger)
    codebook: Codebook | None = None
    values: tuple[Found, ...]
    if head & CODEBOOK:
        codebook = read_codebook(cursor, head, item, n_values, ledger)
        values = (counted(stream.read(cursor, n_values), "codes", ledger),)
    else:
        values = read_planes(cursor, item, n_values, "dense", ledger)
    return Coded(
        item=item,
        count=count,
        columns=columns,
        positions=positions,
        gap_bits=gap_bits,
        places=places,
        n_values=n_values,
        codebook=codebook,
        values=values,
        ledger=ledger,
    )


def _read_levels(
    cursor: Cursor, head: int, item: Item, shape: tuple[int, ...], count: int, ledger: Ledger
) -> Coded:
    """Find the codes of all items."""
    if not head & CODEBOOK:
        raise FormatError(f"no tensor has the form {head}")
    cursor.require(2)
    codebook = read_codebook(cursor, head, item, count, ledger)
    n_first, zero = cursor.varint(), cursor.varint()
    if codebook.count > levels.MAX_CODES or n_first > codebook.count or zero >= codebook.count:
        raise FormatError(f"a codebook of {codebook.count} has no levels {n_first}, {zero}")
    codec = Levels.of_shape(shape, count, n_codes=codebook.count, zero=zero)
    chunks = []
    for _ in range(codec.n_chunks(count)):
        begin = cursor.at
        size = cursor.varint()
        ledger["tables"] += cursor.at - begin
        ledger["codes"] += size
        chunks.append(cursor.take(size))
    return Coded(
        item=item,
        count=count,
        positions="levels",
        n_values=count,
        codebook=codebook,
        mixed=Mixed(codec, n_first, tuple(chunks), bool(head & _GOES_ON)),
        ledger=ledger,
    )


def _plan_levels(
    items: Items, item: Item, shape: tuple[int, ...], learned: Model | None, limit: int
) -> Plan | None:
    """Mix the codes of all items, if that takes fewer than `limit` bytes."""
    codebook = distinct.distinct(items, levels.MAX_CODES)
    if codebook is None or len(codebook) < 2:
        return None
    ranks = distinct.ranks(items, codebook)
    n_first, zero = _order(codebook, item, ranks)
    places = np.empty(len(codebook), np.uint16)
    places[_by_value(np.arange(len(codebook)), item, n_first)] = np.arange(len(codebook))
    book = plan_codebook(codebook, item)
    codec = Levels.of_shape(shape, len(items), n_codes=len(codebook), zero=zero)
    model = mixing.fresh_model() if learned is None else mixing.copy_model(learned)
    chunks, left = codec.encode(places[ranks], model, limit - book.n_bytes)
    if chunks is None:
        return None
    head = _POSITIONS.index("levels") | CODEBOOK | book.head | (0 if learned is None else _GOES_ON)
    parts = [bytes([head]), book.build(), varint(n_first), varint(zero)]
    parts += [part for chunk in chunks for part in (varint(len(chunk)), chunk)]
    coded = b"".join(parts)
    return Plan(len(coded), lambda: coded, head, left) if len(coded) < limit else None


def _order(codebook: Items, item: Item, ranks: NDArray[np.uint16]) -> tuple[int, int]:
    """Return how many centroids come last in the order of their values, and the code of zero.

    Bit patterns ascend from zero up; those of negative numbers follow. Integers do not tell
    whether they have a sign: they do if the commonest stands near one of the ends.
    """
    n_positive = int(np.searchsorted(codebook, 1 << (8 * item.width - 1)))
    if item.is_float:
        return n_positive, min(len(codebook) - n_positive, len(codebook) - 1)
    commonest = int(bits.count(ranks, len(codebook)).argmax())
    quarter = 1 << (8 * item.width - 2)
    has_sign = not quarter <= int(codebook[commonest]) < 3 * quarter
    n_first = n_positive if has_sign else 0
    return n_first, (commonest - n_first) % len(codebook)


def _by_value(codebook: Items, item: Item, n_first: int) -> Items:
    """Return what stands in the order of bit patterns in the order of values."""
    negative = codebook[n_first:]
    return np.concatenate([negative[::-1] if item.is_float else negative, codebook[:n_first]])


def _plan_sparse(items: Items, nonzero: NDArray[np.bool_], item: Item, columns: int) -> Plan:
    """Choose between gaps and a mask for one order of the scan."""
    rows = len(items) // columns
    scanned = nonzero if columns == 1 else nonzero.reshape(rows, columns).T.ravel()
    positions = np.flatnonzero(scanned)
    places = positions if columns == 1 else positions % rows * columns + positions // rows
    values = plan_values(items[places], item)
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

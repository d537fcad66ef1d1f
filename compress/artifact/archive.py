"""Pack an ONNX model into a compressed file, and read it back: the layout of SPEC.md.

The streams are `graph` (the model without its tensors' data), `small` (all small tensors) and one
stream `INDEX:NAME` for every other tensor, so that a device decodes one at a time.
"""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.artifact import container, model, tensors
from compress.artifact.container import Container
from compress.artifact.model import Layout
from compress.artifact.tensors import Coded, Item, Items, Ledger
from compress.codecs.cursor import Cursor
from compress.codecs.stream import Stream
from compress.errors import FormatError

if TYPE_CHECKING:
    from onnx import ModelProto

_GRAPH, _SMALL = "graph", "small"
_POOLED = 16  # in `small`, the head of a tensor whose items stand in a pool
_OWN_STREAM = 1 << 12  # bytes from which a tensor has a stream of its own
_MAX_GRAPH = 1 << 28  # bytes of the graph, decoded
_FREE_BYTES = 1 << 28  # what any file may decode to
_MAX_EXPANSION = 10_000  # and what beyond that, as a multiple of the file
_POOLS = tuple(Item(width, is_float) for is_float in (False, True) for width in (1, 2, 4, 8))


@dataclass(frozen=True, slots=True)
class Pooled:
    """A small dense tensor: its items are a part of a pool."""

    item: Item
    count: int
    begin: int  #: of its items in the pool of its kind
    pool: _Pool


@dataclass(slots=True)
class _Pool:
    item: Item
    count: int = 0
    planes: tuple[Stream, ...] = ()
    decoded: Items | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """A compressed file, parsed: what is where, nothing decoded but the graph."""

    container: Container
    graph: ModelProto  #: the model without the data of `tensors`
    tensors: tuple[tuple[Layout, Coded | Pooled], ...]  #: in the order of the graph
    ledger: Ledger  #: bytes by kind; they sum to the file's size
    n_bytes: tuple[int, ...] = field(default=())  #: of each tensor in the file; 0 if pooled


def write(path: Path, onnx_model: ModelProto, metadata: Mapping[str, Any]) -> None:
    """Pack a model; its tensors are emptied one by one on the way, so that memory shrinks.

    Raises:
        FormatError: when the model expands more than a reader would allow.
        OutputError: when the file cannot be written.
    """
    streams: dict[str, bytes] = {}
    small = bytearray()
    pools: dict[Item, list[Items]] = {}
    n_decoded = index = 0
    for tensor in model.tensors(onnx_model):
        items = model.take_data(tensor)
        if items is None:
            continue
        item = _item(tensor)
        n_decoded += items.nbytes
        plan = tensors.plan(items, item, tuple(tensor.dims))
        if plan.n_bytes >= _OWN_STREAM:
            streams[f"{index}:{tensor.name}"] = plan.build()
        elif plan.head == 0 and 2 * plan.n_bytes > items.nbytes:
            pools.setdefault(item, []).append(items)
            small.append(_POOLED)
        else:
            small += plan.build()
        index += 1
    for item in _POOLS:
        if item in pools:
            small += tensors.plan_planes(np.concatenate(pools[item]), item).build()
    streams[_GRAPH] = lzma.compress(onnx_model.SerializeToString(), **_LZMA)
    streams[_SMALL] = bytes(small)
    if n_decoded > _limit(sum(map(len, streams.values()))):
        raise FormatError(f"{path.name}: {n_decoded} bytes from so few would be refused by readers")
    container.write(path, metadata, streams)


def read(path: Path, *, check: bool = True) -> Archive:
    """Open and parse a compressed file, all bounds checked before memory is taken."""
    return parse(container.open_file(path, check=check))


def parse(file: Container) -> Archive:
    """Find every tensor of an open file."""
    try:
        return _parse(file)
    except FormatError as error:
        raise FormatError(f"{file.path}: {error}") from error


def restore(archive: Archive) -> ModelProto:
    """Put all data back into the graph, in place, and return it: the model that was packed."""
    empty = [t for t in model.tensors(archive.graph) if model.missing(t) is not None]
    for tensor, items in zip(empty, decode(archive), strict=True):
        model.put_data(tensor, items.tobytes())
    return archive.graph


def decode(archive: Archive) -> Iterator[Items]:
    """Yield the items of each tensor in turn."""
    for _, coded in archive.tensors:
        items = np.empty(coded.count, coded.item.dtype)
        decode_into(coded, items)
        yield items


def decode_into(coded: Coded | Pooled, out: Items) -> None:
    """Write a tensor's items to `out`, shape `(count,)`."""
    if isinstance(coded, Coded):
        coded.decode_into(out)
        return
    pool = coded.pool
    if pool.decoded is None:
        pool.decoded = tensors.join_planes(pool.planes, pool.item, pool.count)
    out[:] = pool.decoded[coded.begin : coded.begin + coded.count]


def _parse(file: Container) -> Archive:
    ledger: Ledger = Counter()
    graph = _read_graph(file.streams)
    ledger["graph"] = len(file.streams[_GRAPH])
    layouts = [lay for t in model.tensors(graph) if (lay := model.missing(t)) is not None]
    n_decoded = sum(layout.count * layout.item.width for layout in layouts)
    if n_decoded > _limit(file.n_bytes):
        raise FormatError(f"{file.n_bytes} bytes claim to hold {n_decoded}")
    small = Cursor(memoryview(file.streams.get(_SMALL, np.empty(0, np.uint8))))
    pools = {item: _Pool(item) for item in _POOLS}
    found: list[tuple[Layout, Coded | Pooled]] = []
    sizes = []
    known = {_GRAPH, _SMALL}
    for index, layout in enumerate(layouts):
        name = f"{index}:{layout.name}"
        known.add(name)
        own = file.streams.get(name)
        cursor = small if own is None else Cursor(memoryview(own))
        begin = cursor.at
        if own is None and small.peek() == _POOLED:
            small.byte()
            ledger["header"] += 1
            pool = pools[layout.item]
            found.append((layout, Pooled(layout.item, layout.count, pool.count, pool)))
            pool.count += layout.count
            sizes.append(0)
            continue
        coded = tensors.read(cursor, layout.item, layout.shape, layout.count)
        if own is not None:
            cursor.finish()
        ledger.update(coded.ledger)
        found.append((layout, coded))
        sizes.append(cursor.at - begin)
    for pool in pools.values():
        if pool.count:
            pool.planes = tensors.read_planes(small, pool.item, pool.count, "dense", ledger)
    small.finish()
    if file.streams.keys() - known:
        raise FormatError(
            f"streams that belong to no tensor: {sorted(file.streams.keys() - known)[:3]}"
        )
    ledger["header"] += file.n_bytes - ledger.total()
    return Archive(file, graph, tuple(found), ledger, tuple(sizes))


def _read_graph(streams: Mapping[str, Any]) -> ModelProto:
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from onnx import ModelProto  # noqa: PLC0415

    if _GRAPH not in streams:
        raise FormatError("there is no graph")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=2 * _MAX_GRAPH)
    try:
        data = decoder.decompress(streams[_GRAPH].tobytes(), _MAX_GRAPH)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise FormatError(f"the graph is damaged: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise FormatError("the graph is cut short, too large or followed by more")
    try:
        return ModelProto.FromString(data)
    except DecodeError as error:
        raise FormatError("the graph is no ONNX model") from error


def _item(tensor: Any) -> Item:
    layout = model.missing(tensor)
    assert layout is not None
    return layout.item


def _limit(n_bytes: int) -> int:
    return _FREE_BYTES + _MAX_EXPANSION * n_bytes


# LZMA "alone" needs no container; 1 MiB of dictionary keeps a reader's memory small.
_LZMA: dict[str, Any] = {
    "format": lzma.FORMAT_ALONE,
    "filters": [{"id": lzma.FILTER_LZMA1, "preset": 9, "dict_size": 1 << 20, "lc": 4, "pb": 0}],
}

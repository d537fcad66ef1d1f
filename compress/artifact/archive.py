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
from compress.artifact.container import Container, Streams
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
# What a graph, and what all tensors together may decode to: so many bytes, and as a multiple of
# the graph's stream or of the file. Real graphs shrink 30 to 60 times.
_FREE_GRAPH, _GRAPH_EXPANSION, _MAX_GRAPH = 1 << 20, 1 << 8, 1 << 28
_FREE_BYTES, _EXPANSION = 1 << 28, 10_000
_POOLS = tuple(Item(width, is_float) for is_float in (False, True) for width in (1, 2, 4, 8))

# Bare LZMA, its settings fixed by the format; 1 MiB of dictionary keeps a reader's memory small.
_LZMA: dict[str, Any] = {
    "format": lzma.FORMAT_RAW,
    "filters": [{"id": lzma.FILTER_LZMA1, "preset": 9, "dict_size": 1 << 20, "lc": 4, "pb": 0}],
}


@dataclass(frozen=True, slots=True)
class Pooled:
    """A small dense tensor: its items are a part of a pool."""

    count: int
    begin: int  #: of its items in the pool of its kind
    pool: _Pool

    @property
    def ledger(self) -> Ledger:
        """Bytes by kind: its head, and its share of the pool."""
        parts = Counter(header=1)
        for kind, n_bytes in self.pool.ledger.items():
            before, behind = n_bytes * self.begin, n_bytes * (self.begin + self.count)
            parts[kind] += behind // self.pool.count - before // self.pool.count
        return parts

    @property
    def form(self) -> str:
        """How positions and values are coded, in words."""
        return "dense, pooled"

    def decode_into(self, out: Items) -> None:
        """Write the items to `out`, shape `(count,)`; raise `FormatError` where they are none."""
        out[:] = self.pool.decode()[self.begin : self.begin + self.count]


@dataclass(slots=True)
class _Pool:
    item: Item
    count: int = 0
    planes: tuple[Stream, ...] = ()
    ledger: Ledger = field(default_factory=Counter)
    decoded: Items | None = None

    def decode(self) -> Items:
        if self.decoded is None:
            self.decoded = tensors.join_planes(self.planes, self.item, self.count)
        return self.decoded


@dataclass(frozen=True, slots=True)
class Archive:
    """A compressed file, parsed: what is where, nothing decoded but the graph."""

    container: Container
    graph: ModelProto  #: the model without the data of `tensors`
    tensors: tuple[tuple[Layout, Coded | Pooled], ...]  #: in the order of the graph
    ledger: Ledger  #: bytes by kind; they sum to the file's size

    @property
    def n_bytes(self) -> tuple[int, ...]:
        """Bytes of each tensor in the file; the share of the pool where it is pooled."""
        return tuple(coded.ledger.total() for _, coded in self.tensors)


def write(path: Path, onnx_model: ModelProto, metadata: Mapping[str, Any]) -> None:
    """Pack a model; its tensors are emptied one by one on the way, so that memory shrinks.

    Raises:
        FormatError: when a tensor has no data, or more is packed than a reader would allow.
        OutputError: when the file cannot be written.
    """
    streams: dict[str, bytes] = {}
    small = bytearray()
    pools: dict[Item, list[Items]] = {}
    n_decoded = index = 0
    for tensor in model.tensors(onnx_model):
        taken = model.take_data(tensor)
        if taken is None:
            continue
        layout, items = taken
        n_decoded += items.nbytes
        plan = tensors.plan(items, layout.item, layout.shape)
        if plan.n_bytes >= _OWN_STREAM:
            streams[f"{index}:{layout.name}"] = plan.build()
        elif plan.head == 0 and 2 * plan.n_bytes > items.nbytes:
            pools.setdefault(layout.item, []).append(items)
            small.append(_POOLED)
        else:
            small += plan.build()
        index += 1
    for item in _POOLS:
        if item in pools:
            small += tensors.plan_planes(np.concatenate(pools[item]), item).build()
    if small:
        streams[_SMALL] = bytes(small)
    graph = onnx_model.SerializeToString()
    streams[_GRAPH] = lzma.compress(graph, **_LZMA)
    for n_bytes, limit in (
        (len(graph), _graph_limit(len(streams[_GRAPH]))),
        (n_decoded, _limit(sum(map(len, streams.values())))),
    ):
        if n_bytes > limit:
            raise FormatError(f"{path}: {n_bytes} bytes out of so few would be refused by readers")
    container.write(path, metadata, streams)


def read(path: Path, *, check: bool = True) -> Archive:
    """Open and parse a compressed file, all bounds checked before memory is taken.

    Raises:
        DataError: when there is no such file, or it cannot be read.
        FormatError: when it is not a compressed file, or was altered.
    """
    file = container.open_file(path, check=check)
    try:
        return _parse(file)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def restore(archive: Archive) -> ModelProto:
    """Put all data back into the graph, in place, and return it: the model that was packed."""
    empty = [t for t in model.tensors(archive.graph) if model.missing(t) is not None]
    for tensor, items in zip(empty, decode(archive), strict=True):
        model.put_data(tensor, items.tobytes())
    return archive.graph


def decode(archive: Archive) -> Iterator[Items]:
    """Yield the items of each tensor in turn."""
    for index, (layout, _) in enumerate(archive.tensors):
        items = np.empty(layout.count, layout.item.dtype)
        decode_into(archive, index, items)
        yield items


def decode_into(archive: Archive, index: int, out: Items) -> None:
    """Write the items of one of the tensors to `out`, shape `(count,)`."""
    layout, coded = archive.tensors[index]
    try:
        coded.decode_into(out)
    except FormatError as error:
        raise FormatError(f"{archive.container.path}: {layout.name}: {error}") from error


def _parse(file: Container) -> Archive:
    ledger: Ledger = Counter()
    graph = _read_graph(file.streams)
    ledger["graph"] = len(file.streams[_GRAPH])
    layouts = [lay for t in model.tensors(graph) if (lay := model.missing(t)) is not None]
    n_decoded = sum(layout.n_bytes for layout in layouts)
    if n_decoded > _limit(file.n_bytes):
        raise FormatError(f"{file.n_bytes} bytes claim to hold {n_decoded}")
    small = Cursor(_bytes(file.streams, _SMALL))
    pools = {item: _Pool(item) for item in _POOLS}
    found: list[tuple[Layout, Coded | Pooled]] = []
    known = {_GRAPH, _SMALL}
    for index, layout in enumerate(layouts):
        name = f"{index}:{layout.name}"
        known.add(name)
        is_small = name not in file.streams
        if is_small and small.peek() == _POOLED:
            small.byte()
            pool = pools[layout.item]
            found.append((layout, Pooled(layout.count, pool.count, pool)))
            pool.count += layout.count
            continue
        cursor = small if is_small else Cursor(_bytes(file.streams, name))
        found.append((layout, tensors.read(cursor, layout.item, layout.shape, layout.count)))
        if not is_small:
            cursor.finish()
    for pool in pools.values():
        if pool.count:
            pool.planes = tensors.read_planes(small, pool.item, pool.count, "dense", pool.ledger)
    small.finish()
    unknown = sorted(file.streams.keys() - known)
    if unknown:
        raise FormatError(f"streams that belong to no tensor: {unknown[:3]}")
    for _, coded in found:
        ledger.update(coded.ledger)
    ledger["header"] += file.n_bytes - ledger.total()
    return Archive(file, graph, tuple(found), ledger)


def _read_graph(streams: Streams) -> ModelProto:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    coded = _bytes(streams, _GRAPH)
    decoder = lzma.LZMADecompressor(**_LZMA)
    try:
        data = decoder.decompress(coded, _graph_limit(len(coded)))
    except lzma.LZMAError as error:
        raise FormatError(f"the graph is damaged: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise FormatError("the graph is cut short, too large or followed by more")
    graph = ModelProto()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise FormatError("the graph is no ONNX model") from error
    return graph


def _bytes(streams: Streams, name: str) -> memoryview:
    return streams[name].data if name in streams else memoryview(b"")


def _graph_limit(n_bytes: int) -> int:
    return min(_FREE_GRAPH + _GRAPH_EXPANSION * n_bytes, _MAX_GRAPH)


def _limit(n_bytes: int) -> int:
    return _FREE_BYTES + _EXPANSION * n_bytes

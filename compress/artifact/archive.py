"""Pack an ONNX model into a compressed file, and read it back: the layout of SPEC.md.

The streams are `graph` (the model without its tensors' data), `small` (all small tensors), one
stream `INDEX:NAME` for every other tensor, and one `file:NAME` for each file that goes with it.
Where the model alone does not give back the files that were packed, `source` tells how they are
put together; their bytes that are no tensors' data stand behind the model in `graph`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import assert_never

from compress import files, limits
from compress.artifact import container, model, pieces, tensors, texts, values
from compress.artifact.container import SOURCE, Container, Streams
from compress.artifact.model import Layout
from compress.artifact.pieces import Assembly
from compress.artifact.settings import Coder
from compress.artifact.sources import Source
from compress.artifact.tensors import Coded
from compress.artifact.values import Item, Items, Ledger, Plan
from compress.codecs.cursor import Cursor
from compress.codecs.stream import Found
from compress.errors import FormatError
from compress.kernels.mixing import Model
from compress.threads import n_cores, side_by_side

if TYPE_CHECKING:
    from onnx import ModelProto

_GRAPH, _SMALL, _FILE = pieces.GRAPH, "small", "file:"
_POOLED = 16  # in `small`, the head of a tensor whose items stand in a pool
_OWN_STREAM = 1 << 16  # bytes from which a tensor has a stream of its own
_POOLED_BYTES = 1 << 12  # up to which dense tensors share a pool
_GROUP = 1 << 20  # items: a tensor of mixed levels goes on with those before it up to here
_TOGETHER = 1 << 18  # items: small tensors are decoded in one go up to here
# What all tensors, and all files together may decode to: so many bytes, and so many times the file.
_FREE_BYTES, _EXPANSION = 1 << 28, 10_000
# Memory as a multiple: of a file while it is read, of the largest tensor while it is decoded, and
# of all tensors while protobuf puts them together.
_READ, _DECODE, _RESTORE = 2, 4, 5
_POOLS = tuple(Item(width, is_float) for is_float in (False, True) for width in (1, 2, 4, 8))


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
    planes: tuple[Found, ...] = ()
    ledger: Ledger = field(default_factory=Counter)
    decoded: Items | None = None

    def decode(self) -> Items:
        if self.decoded is None:
            self.decoded = values.join_planes(self.planes, self.item, self.count)
        return self.decoded


@dataclass(frozen=True, slots=True)
class Archive:
    """A compressed file, parsed: what is where, nothing decoded but the graph."""

    container: Container
    graph: ModelProto  #: the model without the data of `tensors`
    tensors: tuple[tuple[Layout, Coded | Pooled], ...]  #: in the order of the graph
    ledger: Ledger  #: bytes by kind; they sum to the file's size
    assembly: Assembly | None  #: of the files that were packed, where the model is not enough

    @property
    def n_bytes(self) -> tuple[int, ...]:
        """Bytes of each tensor in the file; the share of the pool where it is pooled."""
        return tuple(coded.ledger.total() for _, coded in self.tensors)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Tensors that decode one after the other; a group waits for no other one.

        Small tensors share a group: a start on a thread takes longer than they do.
        """
        groups: list[list[int]] = []
        last: list[int] | None = None  # the group of the levels before
        room = 0  # items that the last group still takes
        for index, (layout, coded) in enumerate(self.tensors):
            mixed = coded.mixed if isinstance(coded, Coded) else None
            if mixed is not None and mixed.goes_on and last is not None:
                last.append(index)
                continue
            if mixed is None and layout.count <= room:
                groups[-1].append(index)
            else:
                groups.append([index])
                room = _TOGETHER
            room -= layout.count
            if mixed is not None:
                last, room = groups[-1], 0
        return tuple(map(tuple, groups))

    def file(self, name: str) -> bytes | None:
        """Return what a file that goes with the model holds; None where there is no such file."""
        stream, streams = f"{_FILE}{name}", self.container.streams
        version = self.container.metadata["format"]
        return texts.decode(streams, stream, version) if stream in streams else None


@dataclass(frozen=True, slots=True)
class _Packed:
    """A tensor that was coded: what the file holds of it, and what goes to a pool."""

    layout: Layout
    coded: bytes
    pooled: Items | None


def write(
    path: Path,
    onnx_model: ModelProto,
    metadata: Mapping[str, Any],
    *,
    coder: Coder = "huffman",
    attached: Mapping[str, bytes] | None = None,
    over: files.Over = files.anything,
    source: Source | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Pack a model; its tensors are emptied one by one on the way, so that memory shrinks.

    Args:
        path: of the compressed file.
        onnx_model: what is packed.
        metadata: what else the file tells.
        coder: best takes mixed levels where they are smaller; they decode more slowly.
        attached: files that go with the model (a tokenizer), by name.
        over: whether a file that is there may give way.
        source: the files that come back; without, the model as protobuf writes it.
        check: is given the whole file before it appears; what it raises ends the packing.

    Raises:
        DataError: when the files cannot be put together from what is packed.
        FormatError: when a tensor has no data, or more is packed than a reader would allow.
        OutputError: when the file cannot be written.
    """
    streams: dict[str, bytes] = {}
    small = bytearray()
    pools: dict[Item, list[Items]] = {}
    n_decoded = 0
    for index, packed in enumerate(_coded(onnx_model, coder, source)):
        n_decoded += packed.layout.n_bytes
        if packed.pooled is not None:
            pools.setdefault(packed.layout.item, []).append(packed.pooled)
        if len(packed.coded) >= _OWN_STREAM:
            streams[f"{index}:{packed.layout.name}"] = packed.coded
        else:
            small += packed.coded
    for item in _POOLS:
        if item in pools:
            small += values.plan_planes(np.concatenate(pools[item]), item).build()
    if small:
        streams[_SMALL] = bytes(small)
    written = {_GRAPH: onnx_model.SerializeToString()}
    assembly = None if source is None else source.assembly()
    if assembly is not None:
        written[SOURCE] = pieces.write(assembly[0], len(written[_GRAPH]))
        written[_GRAPH] += assembly[1]
    written |= {f"{_FILE}{name}": data for name, data in (attached or {}).items()}
    for name, data in written.items():
        streams[name] = texts.encode(data)
        _require_readable(path, len(data), texts.limit(len(streams[name]), container.VERSION))
    is_large = any(len(data) > texts.PLAIN_BYTES for data in written.values())
    n_files = 0 if source is None else source.n_bytes
    _require_readable(path, max(n_decoded, n_files), _limit(sum(map(len, streams.values()))))
    container.write(path, metadata, streams, over=over, check=check, is_large=is_large)


def _coded(onnx_model: ModelProto, coder: Coder, source: Source | None) -> Iterator[_Packed]:
    """Yield each tensor, coded; no more of them are held than are worked on at a time."""
    take = model.take_data if source is None else source.take
    taken = (found for t in model.tensors(onnx_model) if (found := take(t)) is not None)
    match coder:
        case "huffman":
            yield from _side_by_side(taken)
        case "best":
            learned: Model | None = None
            n_learned = 0
            for layout, items in taken:
                plan = tensors.plan(items, layout.item, layout.shape, mixes=True, learned=learned)
                if plan.model is not None:
                    learned, n_learned = plan.model, n_learned + layout.count
                    if n_learned >= _GROUP:
                        learned, n_learned = None, 0
                yield _packed(layout, items, plan)
        case _:
            assert_never(coder)


def _side_by_side(taken: Iterator[tuple[Layout, Items]]) -> Iterator[_Packed]:
    """Yield each tensor, several of them coded at a time."""

    def code(layout: Layout, items: Items) -> _Packed:
        return _packed(layout, items, tensors.plan(items, layout.item, layout.shape))

    n_threads = n_cores()
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future[_Packed]] = deque()
        for layout, items in taken:
            waiting.append(pool.submit(code, layout, items))
            if len(waiting) >= n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _packed(layout: Layout, items: Items, plan: Plan) -> _Packed:
    if plan.head == 0 and items.nbytes < 2 * plan.n_bytes < 2 * _POOLED_BYTES:
        return _Packed(layout, bytes([_POOLED]), items)
    return _Packed(layout, plan.build(), None)


def read(path: Path, *, check: bool = True) -> Archive:
    """Open and parse a compressed file, all bounds checked before memory is taken.

    Raises:
        DataError: when there is no such file, or it cannot be read.
        FormatError: when it is not a compressed file, or was altered.
    """
    if path.is_file():
        limits.require_memory(f"reading {path}", _READ * path.stat().st_size)
    file = container.open_file(path, check=check)
    try:
        found = _parse(file)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    largest = max((layout.n_bytes for layout, _ in found.tensors), default=0)
    limits.require_memory(f"decoding {path}", _DECODE * largest)
    return found


def restore(archive: Archive) -> ModelProto:
    """Put all data back into the graph, in place, and return it: the model that was packed."""
    n_bytes = sum(layout.n_bytes for layout, _ in archive.tensors)
    limits.require_memory(f"restoring {archive.container.path}", _RESTORE * n_bytes)
    empty = [t for t in model.tensors(archive.graph) if model.missing(t) is not None]
    each(archive, lambda index, items: model.put_data(empty[index], items.tobytes()))
    return archive.graph


def decode(archive: Archive) -> Iterator[Items]:
    """Yield the items of each tensor in turn."""
    learned: Model | None = None
    for index, (layout, _) in enumerate(archive.tensors):
        items = np.empty(layout.count, layout.item.dtype)
        learned = _decode_one(archive, index, items, learned)
        yield items


def decode_into(archive: Archive, place: Callable[[int, Layout], Items]) -> None:
    """Decode all tensors, several at a time.

    Args:
        archive: what to decode.
        place: returns where the items of the tensor of an index go, shape `(count,)`; it is called
            from several threads.
    """
    _decode(archive, place, lambda _index, _items: None)


def each(archive: Archive, use: Callable[[int, Items], None]) -> None:
    """Decode all tensors, several at a time, and hold none of them longer than it is used.

    Args:
        archive: what to decode.
        use: is given each tensor's index and items, in any order, from several threads.
    """
    _decode(archive, lambda _, layout: np.empty(layout.count, layout.item.dtype), use)


def _decode(
    archive: Archive, place: Callable[[int, Layout], Items], use: Callable[[int, Items], None]
) -> None:
    def group(indices: tuple[int, ...]) -> None:
        learned: Model | None = None
        for index in indices:
            out = place(index, archive.tensors[index][0])
            learned = _decode_one(archive, index, out, learned)
            use(index, out)

    side_by_side(group, archive.groups, n_cores())


def _decode_one(archive: Archive, index: int, out: Items, learned: Model | None) -> Model | None:
    """Write a tensor's items to `out`; return the model that is left for the next one."""
    layout, coded = archive.tensors[index]
    try:
        if isinstance(coded, Pooled):
            coded.decode_into(out)
            return learned
        return coded.decode_into(out, learned) or learned
    except FormatError as error:
        raise FormatError(f"{archive.container.path}: {layout.name}: {error}") from error


def _parse(file: Container) -> Archive:
    ledger: Ledger = Counter()
    version = file.metadata["format"]
    graph, literals, told = pieces.read_graph(file.streams, version)
    ledger["graph"] = len(file.streams[_GRAPH]) + len(_bytes(file.streams, SOURCE))
    attached = [name for name in file.streams if name.startswith(_FILE)]
    ledger["files"] = sum(len(file.streams[name]) for name in attached)
    layouts = [lay for t in model.tensors(graph) if (lay := model.missing(t)) is not None]
    n_decoded = sum(layout.n_bytes for layout in layouts)
    if n_decoded > _limit(file.n_bytes):
        raise FormatError(f"{file.n_bytes} bytes claim to hold {n_decoded}")
    assembly: Assembly | None = None
    if told is not None:
        sizes = tuple(layout.n_bytes for layout in layouts)
        assembly = pieces.read(told, literals, sizes, _limit(file.n_bytes))
    small = Cursor(_bytes(file.streams, _SMALL), version)
    pools = {item: _Pool(item) for item in _POOLS}
    found: list[tuple[Layout, Coded | Pooled]] = []
    known = {_GRAPH, SOURCE, _SMALL, *attached}
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
        cursor = small if is_small else Cursor(_bytes(file.streams, name), version)
        found.append((layout, tensors.read(cursor, layout.item, layout.shape, layout.count)))
        if not is_small:
            cursor.finish()
    for pool in pools.values():
        if pool.count:
            pool.planes = values.read_planes(small, pool.item, pool.count, "dense", pool.ledger)
    small.finish()
    unknown = sorted(file.streams.keys() - known)
    if unknown:
        raise FormatError(f"streams that belong to no tensor: {unknown[:3]}")
    for _, coded in found:
        ledger.update(coded.ledger)
    ledger["header"] += file.n_bytes - ledger.total()
    return Archive(file, graph, tuple(found), ledger, assembly)


def _require_readable(path: Path, n_bytes: int, limit: int) -> None:
    if n_bytes > limit:
        raise FormatError(
            f"{path} would hold {n_bytes:,} bytes, and readers take at most {limit:,} out of so "
            "small a file: it is too uniform to be packed"
        )


def _bytes(streams: Streams, name: str) -> memoryview:
    return streams[name].data if name in streams else memoryview(b"")


def _limit(n_bytes: int) -> int:
    return _FREE_BYTES + _EXPANSION * n_bytes

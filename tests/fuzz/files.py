"""Targets that read whole files."""

from __future__ import annotations

import functools
import json
import lzma
import tempfile
from pathlib import Path

import numpy as np

from compress import recipe as recipes
from compress.artifact import archive, container, convert, model, published, texts
from compress.artifact.model import Layout
from compress.errors import DataError, FormatError, SettingsError
from compress.preprocess import Preprocessing
from tests.artifact.test_archive import theirs
from tests.artifact.test_pieces import both
from tests.fuzz.fields import Fields

PLAIN_BYTES = 1 << 12  # of the tensors of a file that the second reader is asked for, too
MAX_DECODED = 1 << 20  # bytes of tensors: files may claim far more, and this is about their form
LAYERS = [[(2, 1, 1, 3), (2, 20)], [(5,)], [(3, 4), (2, 2, 2)], [(300, 300)]]


def container_file(data: bytes) -> bool:
    """Flags, then a whole file, or the text of the metadata and streams that are made one."""
    fields = Fields(data)
    flags = fields.number(1)
    path = folder() / "container"
    path.write_bytes(wrapped(fields, sealed=bool(flags & 2)) if flags & 1 else fields.rest())
    try:
        found = container.open_file(path, check=bool(flags & 4))
    except FormatError:
        return False
    assert found.n_bytes == path.stat().st_size >= sum(map(len, found.streams.values()))
    return True


def wrapped(fields: Fields, *, sealed: bool) -> bytes:
    """Return a safetensors file of a text and streams, its checksum added where it is `sealed`."""
    text = fields.part().decode(errors="replace")
    streams = {}
    while fields.rest():
        name = fields.take(fields.number(1)).decode(errors="replace")
        streams[name] = np.frombuffer(fields.part(), np.uint8)
    if sealed:
        text = f'{text},"sha256":"{container._digest(text, streams)}"}}'
    header, end = {"__metadata__": {"compress": text}}, 0
    for name, coded in streams.items():
        place = [end, end + len(coded)]
        header[name] = {"dtype": "U8", "shape": [len(coded)], "data_offsets": place}
        end = place[1]
    head = json.dumps(header).encode()
    body = b"".join(coded.tobytes() for coded in streams.values())
    return len(head).to_bytes(8, "little") + head + body


def archive_file(data: bytes) -> bool:
    """Flags, then a whole file, or a graph, the small tensors and numbered others to be one."""
    fields = Fields(data)
    flags = fields.number(1)
    if flags & 1:
        return built_file(fields, asks=bool(flags & 2))
    path = folder() / "archive.safetensors"
    path.write_bytes(fields.rest())
    return restored(path, check=False) is not None


def built_file(fields: Fields, *, asks: bool) -> bool:
    """Build a file and read it; `asks` the second reader, too, where it holds little."""
    path = folder() / "built.safetensors"
    graph, small = fields.part(), fields.part()
    layouts = layouts_of(graph)
    streams = {"graph": lzma.compress(graph, **texts.LZMA), "small": small}
    while fields.rest():
        index = fields.number(1)
        name = layouts[index].name if index < len(layouts) else ""
        streams[f"{index}:{name}"] = fields.part()
    container.write(path, {}, streams)
    found = restored(path, check=True)
    if asks and sum(layout.n_bytes for layout in layouts) <= PLAIN_BYTES:
        assert found == theirs(path.read_bytes())
    return found is not None and unpacks(path, found)


def layouts_of(graph: bytes) -> list[Layout]:
    """Return the layouts of the tensors that miss their data."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        tensors = list(model.tensors(ModelProto.FromString(graph)))
        return [layout for t in tensors if (layout := model.missing(t)) is not None]
    except (DecodeError, FormatError):
        return []


def restored(path: Path, *, check: bool) -> bytes | None:
    """Return the model of a file; None where it is refused, or holds too much for a fuzzer."""
    try:
        found = archive.read(path, check=check)
        if sum(layout.n_bytes for layout, _ in found.tensors) > MAX_DECODED:
            return None
        items = [items.tobytes() for items in archive.decode(found)]
    except FormatError:
        return None
    assert found.ledger.total() == found.container.n_bytes
    places = [np.empty(layout.count, layout.item.dtype) for layout, _ in found.tensors]
    archive.decode_into(found, lambda index, _: places[index])
    assert [place.tobytes() for place in places] == items
    return archive.restore(found).SerializeToString()


def unpacks(path: Path, expected: bytes) -> bool:
    """Unpack a file; is it what was expected, where it is no file of weights?"""
    try:
        target = convert.unpack(path, force=True)
    except FormatError:
        return False  # weights that no file of weights can hold
    assert target.suffix != ".onnx" or target.read_bytes() == expected
    return True


def model_file(data: bytes) -> bool:
    """A byte, which kind of file; a model or weights to be packed, which come back."""
    fields = Fields(data)
    flags = fields.number(1)
    source = folder() / ("model.onnx" if flags & 1 else "model.safetensors")
    source.write_bytes(fields.rest())
    path = folder() / "packed.safetensors"
    try:
        convert.pack(source, path, coder="best" if flags & 2 else "huffman")
    except (DataError, FormatError):
        return False
    assert convert.unpack(path, folder() / "back", force=True).read_bytes() == source.read_bytes()
    return True


def pieces_of_files(data: bytes) -> bool:
    """Literals, then what tells of files."""
    fields = Fields(data)
    literals = fields.part()
    return both(fields.rest(), literals) is not None


def published_file(data: bytes) -> bool:
    """The layers, then a file in Song Han's format."""
    fields = Fields(data)
    shapes = LAYERS[fields.number(1) % len(LAYERS)]
    try:
        layers = list(published.decode(fields.rest(), shapes))
    except FormatError:
        return False
    assert [weights.shape for weights, _ in layers] == shapes
    return True


def recipe(data: bytes) -> bool:
    """A recipe's YAML; what is read has one writing."""
    path = folder() / "recipe.yaml"
    path.write_bytes(data)
    try:
        found = recipes.read(path)
    except (DataError, SettingsError):
        return False
    path.write_text(recipes.to_yaml(found))
    assert recipes.read(path) == found
    return True


def preprocessing(data: bytes) -> bool:
    """The JSON of a stored record."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return False
    try:
        found = Preprocessing.from_json(record)
    except FormatError:
        return False
    assert Preprocessing.from_json(found.to_json()) == found
    return True


def folder() -> Path:
    """Return a folder for files, which goes when the process ends."""
    return Path(_folder().name)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")

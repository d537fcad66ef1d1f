"""What fuzzing starts from: for each target some bytes that decode, made by the encoders."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import ModelProto
from safetensors.numpy import save

from compress import recipe as recipes
from compress.artifact import archive, container, tensors, texts
from compress.artifact.settings import Coder
from compress.codecs import stream
from compress.codecs.fixed import FixedWidth
from compress.codecs.huffman import CHUNK, Huffman
from compress.codecs.levels import Levels
from compress.codecs.rising import Rising
from compress.kernels import mixing
from compress.preprocess import Preprocessing
from compress.recipe import Recipe
from tests.artifact.test_archive import model_of, small_model
from tests.artifact.test_pieces import told
from tests.artifact.test_published import _SHAPES, _file
from tests.artifact.test_tensors import ITEMS
from tests.fuzz.files import LAYERS, folder
from tests.fuzz.symbols import SHAPES, SMALL_CHUNK, learned, of_counts, small_chunks

_CODERS: tuple[Coder, ...] = ("huffman", "best")


def seeds(target: str) -> list[bytes]:
    """Return the seeds of a target."""
    return _SEEDS[target]()


def corpus(target: str) -> list[bytes]:
    """Return the inputs of a target that were kept, as few as reach all that was found."""
    path = corpus_file(target)
    return list(map(bytes.fromhex, path.read_text().splitlines())) if path.exists() else []


def corpus_file(target: str) -> Path:
    """Return where the inputs of a target are: each in hexadecimal on a line of its own."""
    return Path(__file__).parent / "corpus" / f"{target}.hex"


def _number(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _part(data: bytes) -> bytes:
    return _number(len(data)) + data


def _few(count: int, n_codes: int) -> np.ndarray:
    """Return symbols of uneven frequency, all of them where there is room."""
    rng = np.random.default_rng(count)
    return np.minimum(rng.geometric(0.4, count) - 1, n_codes - 1).astype(np.uint16)


def _huffman() -> list[bytes]:
    found = []
    for numbers, flags in itertools.product(([9, 3, 1], [*range(1, 40)], [255, 1, 1, 200]), (0, 2)):
        codec = of_counts(numbers, SMALL_CHUNK if flags else CHUNK)
        symbols = _few(600, len(numbers))
        tail = _number(len(symbols)) + codec.encode(symbols)
        found.append(bytes([flags, len(numbers), *numbers]) + tail)
        found.append(bytes([flags | 1, len(codec.lengths), *codec.lengths]) + tail)
    return found


def _fixed() -> list[bytes]:
    found = [b"\0" + (300).to_bytes(3, "little") + _number(9)]
    for bits in (1, 5, 8, 11, 16):
        coded = FixedWidth(bits).encode(_few(21, 1 << bits))
        found.append(bytes([bits, 0, 0, 0]) + _number(21) + coded)
    return found


def _streams() -> list[bytes]:
    rows = [_few(count, n) for count, n in ((0, 1), (40, 1), (99, 4), (290, 20), (900, 300))]
    rows.append(np.arange(64).astype(np.uint16))
    rows.append(np.array([0, 9, 300, 9, 0, 0, 0, 0], np.uint16))
    wide = Huffman(bytes([16] * (1 << 12) + [4] * 15))
    coded = [(40, stream.encode(np.arange(40, dtype=np.uint16) * 97, wide))]
    for row in (_few(3000, 20), _few(300, 5), np.full(40, 7)):
        as_bytes = row.astype(np.uint8)
        coded.append((len(row), stream.encode(as_bytes, stream.plan_bytes(as_bytes)[1])))
        block = stream.choose(np.bincount(row))
        if isinstance(block, Huffman):
            block = replace(block, chunk=-(-len(row) // 4))
        coded.append((len(row), stream.encode(as_bytes, (block,))))
    found = [(len(row), stream.encode(row)) for row in rows] + coded
    return [_number(count) + data for count, data in found]


def _levels() -> list[bytes]:
    found = []
    for at, flags, n_codes in itertools.product((2, 4, 7), (0, 1, 2, 4), (3, 40, 4096)):
        shape = SHAPES[at]
        count = math.prod(shape)
        codes = _few(count, n_codes) * (n_codes // 40 + 1) % n_codes
        with small_chunks(flags & 1):
            codec = Levels.of_shape(shape, count, n_codes=n_codes, zero=1)
            model = learned(codec) if flags & 2 else mixing.fresh_model()
            chunks, _ = codec.encode(codes.astype(np.uint16), model, 3000)
        if chunks is not None:
            head = bytes([flags, at]) + _number(n_codes - 1) + _number(1)
            found.append(head + b"".join(map(_part, chunks[:-1])) + chunks[-1])
    return found


def _rising() -> list[bytes]:
    found = []
    for i, width in enumerate((1, 2, 4)):
        for step, count in ((1, 100), (3, 80), (97, 40), (1 << 20, 60)):
            items = np.unique((np.arange(count) * step) % (1 << 8 * width)).astype(f"<u{width}")
            codec = Rising.of_items(items)
            found.append(bytes([i, codec.shift]) + _number(len(items)) + codec.encode(items))
    return found


def _tensors() -> list[bytes]:
    found = []
    for i, at in itertools.product(range(len(ITEMS)), (2, 3, 4, 7)):
        item, shape = ITEMS[i], SHAPES[at]
        rng = np.random.default_rng(i)
        book = rng.integers(1, 256, (9, item.width), np.uint8).reshape(-1).view(item.dtype)
        items = book[_few(math.prod(shape), 9)]
        for some in (
            items,
            items * (rng.random(len(items)) < 0.1),
            items * (np.arange(len(items)) % 9 < 3),
        ):
            for mixes in (False, True):
                plan = tensors.plan(some.astype(item.dtype), item, shape, mixes=mixes)
                found.append(bytes([i, at]) + plan.build())
    return found


def _archives() -> list[bytes]:
    found = []
    path = folder() / "seed"
    ramp = np.arange(60, dtype=np.float32).reshape(6, 10)
    few = np.float32([-1, 0, 0, 0, 0.5])[_few(600, 5)].reshape(20, 30)
    models = [model_of(few), model_of(ramp % 4), small_model(), model_of(few, few[:3], ramp)]
    for one, coder in itertools.product(models, _CODERS):
        archive.write(path, ModelProto.FromString(one.SerializeToString()), {}, coder=coder)
        found.append(b"\0" + path.read_bytes())
        streams = container.open_file(path).streams
        graph, small = texts.decode(streams, "graph", 3), streams["small"].tobytes()
        found += [flags + _part(graph) + _part(small) for flags in (b"\1", b"\3")]
        if len(one.graph.initializer) == 1:  # the same in a stream of its own
            found.append(b"\3" + _part(graph) + _part(b"") + b"\0" + _part(small))
    return found


def _containers() -> list[bytes]:
    path = folder() / "seed"
    container.write(path, {"model": "ä", "a": [1, None, 2.5]}, {"graph": b"abc", "0:w/ä": b"\0\1"})
    text, stream_parts = (
        b'{"format":2,"model":"x"',
        b"\5graph" + _part(b"abc") + b"\1w" + _part(b""),
    )
    return [
        *(bytes([flags]) + path.read_bytes() for flags in (0, 4)),
        *(bytes([flags]) + _part(text) + stream_parts for flags in (3, 7)),
    ]


def _models() -> list[bytes]:
    models = [small_model(), model_of(np.arange(40, dtype=np.float32) % 3)]
    arrays = {"a": np.arange(30, dtype=np.float32), "b": np.zeros((5, 20), np.int8)}
    found = [bytes([flags]) + save(arrays, {"k": "v"}) for flags in (0, 2)]
    return found + [bytes([flags]) + m.SerializeToString() for m in models for flags in (1, 3)]


def _pieces() -> list[bytes]:
    files = ("", [8, 2, 21]), ("a/b.bin", [4, 6])
    return [
        _part(b"ab") + told(("", [8, 401, 2, 6])),
        _part(b"abc") + told(*files),
        _part(b"") + told(("", [])),
    ]


def _published() -> list[bytes]:
    return [bytes([LAYERS.index(_SHAPES)]) + _file()]


def _recipes() -> list[bytes]:
    texts = [recipes.to_yaml(Recipe(model="lenet-5"))]
    texts += [
        "model: lenet-5\nprune: 0.9\nquantize: 5bit\n",
        "model: a\nseed: 3\nepochs: 2\ntask: digits\n",
    ]
    return [text.encode() for text in texts]


def _records() -> list[bytes]:
    full = Preprocessing(mode="RGB", crop=(8, 9), resize=(10, 11), mean=(0.5, 0.5, 0.5))
    return [json.dumps(r.to_json()).encode() for r in (full, Preprocessing(mode="L", crop=(4, 4)))]


_SEEDS = {
    "archive": _archives,
    "container": _containers,
    "fixed": _fixed,
    "huffman": _huffman,
    "levels": _levels,
    "model": _models,
    "pieces": _pieces,
    "preprocessing": _records,
    "published": _published,
    "recipe": _recipes,
    "rising": _rising,
    "stream": _streams,
    "tensors": _tensors,
}

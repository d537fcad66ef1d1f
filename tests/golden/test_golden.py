"""Old files stay readable for ever, bit for bit, and today's writer still writes them."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from compress.artifact import archive, container, convert, texts
from compress.artifact.container import VERSION
from compress.artifact.tensors import Coded
from compress.codecs.huffman import CHUNK, Huffman
from compress.codecs.stream import Blocks, Stream
from tests.artifact import reader
from tests.golden import make

HERE = Path(__file__).parent


PACKED = ("v1", *(f"v{version}-{coder}" for version in (2, 3, 4) for coder in ("huffman", "best")))
TODAY = [f"{name}-{coder}" for name in make.TODAY for coder in make.CODERS]
LONG = ("v2-best", "v3-best")
WHOLE = [name for name in PACKED if not name.startswith("v4")]  # the model alone is the file


@pytest.fixture(params=PACKED)
def golden(request):
    """The golden's packed file and its model; one that is missing fails the test."""
    packed = HERE / f"{request.param}.safetensors"
    plain = HERE / f"{request.param.partition('-')[0]}.onnx"
    assert packed.is_file()
    assert plain.is_file()
    return packed, plain


def test_no_format_is_forgotten():
    assert {name.partition("-")[0] for name in PACKED} == {f"v{i + 1}" for i in range(VERSION)}
    assert set(TODAY) <= set(PACKED)


def test_a_golden_is_readable_bit_for_bit(golden):
    packed, plain = golden
    found = archive.read(packed)
    assert (found.assembly is None) == (packed.stem in WHOLE)
    if found.assembly is None:
        assert archive.restore(found).SerializeToString() == plain.read_bytes()
    stored = json.loads(json.dumps(make.METADATA))
    assert {key: found.container.metadata[key] for key in stored} == stored


# The second reader, in plain Python, takes half a minute for the larger ones of the better coder.
@pytest.mark.parametrize(
    "golden",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in PACKED],
    indirect=True,
)
def test_both_readers_agree(golden):
    packed, plain = golden
    facts, model = reader.read(packed.read_bytes())
    restored = archive.restore(archive.read(packed))
    assert model.SerializeToString() == restored.SerializeToString()
    if packed.stem not in WHOLE:
        files = {"": plain.read_bytes(), make.BESIDE.name: make.BESIDE.read_bytes()}
        assert reader.files(packed.read_bytes()) == files
    assert facts == container.open_file(packed).metadata


def test_unpacking_gives_the_file(golden, tmp_path):
    packed, plain = golden
    files = convert.unpack_all(packed, tmp_path / "m.onnx")
    assert files[0].read_bytes() == plain.read_bytes()
    if packed.stem not in WHOLE:
        assert files[1] == tmp_path / make.BESIDE.name
        assert files[1].read_bytes() == make.BESIDE.read_bytes()


@pytest.mark.parametrize("name", TODAY)
def test_attached_files_come_back(name):
    found = archive.read(HERE / f"{name}.safetensors")
    assert {file: found.file(file) for file in make.ATTACHED} == make.ATTACHED
    assert found.file("nothing") is None
    assert found.ledger["files"] > 0


@pytest.mark.parametrize("name", TODAY)
def test_packing_today_gives_the_same_bytes(name, tmp_path):
    """All but what LZMA wrote, which another version of liblzma may choose differently."""
    golden = container.open_file(HERE / f"{name}.safetensors")
    target = tmp_path / "model.safetensors"
    version, _, coder = name.partition("-")
    plain = HERE / f"{version}.onnx"
    convert.pack(plain, target, make.METADATA, coder=coder, attached=make.ATTACHED)
    today = container.open_file(target)
    streams = [dict(file.streams) for file in (golden, today)]
    filters = texts.LZMA["filters"]
    in_pieces = ["source"] if version == "v4" else []
    for lzma_coded in ("graph", *in_pieces, *(f"file:{file}" for file in make.ATTACHED)):
        coded = [s.pop(lzma_coded) for s in streams]
        decoded = [lzma.decompress(c, lzma.FORMAT_RAW, filters=filters) for c in coded]
        assert decoded[0] == decoded[1]
    before, now = ({name: data.tobytes() for name, data in s.items()} for s in streams)
    assert now == before
    facts = [{k: v for k, v in f.metadata.items() if k != "sha256"} for f in (golden, today)]
    assert facts[0] == facts[1]


def test_the_goldens_cover_what_the_format_knows():
    archived = archive.read(HERE / "v3-huffman.safetensors")
    coded = [c for _, c in archived.tensors if isinstance(c, Coded)]
    forms = {(c.positions, bool(c.codebook), c.columns > 1) for c in coded}
    places = [("all", False), ("gaps", False), ("gaps", True), ("mask", False), ("mask", True)]
    assert forms == {(kind, book, turned) for kind, turned in places for book in (False, True)}
    assert len(archived.tensors) - len(coded) > 20
    items = {(layout.item.width, layout.item.is_float) for layout, _ in archived.tensors}
    assert len(items) == 7
    books = [c.codebook for c in coded if c.codebook is not None]
    steps = [book.codec for book in books if book.codec is not None]
    assert 10 < len(steps) < len(books)
    assert {codec.shift for codec in steps} >= {0, 13}
    planes = [stream for book in books if book.codec is None for stream in book.coded]
    found = [s for c in coded for s in (*c.values, c.places) if s is not None] + planes
    in_blocks = [s for s in found if isinstance(s, Blocks)]
    assert max(len(s.blocks) for s in in_blocks) > 3
    kinds = {"Constant", "FixedWidth", "Huffman"}
    assert {type(codec).__name__ for s in in_blocks for codec in s.codec} == kinds
    streams = [s for s in found if isinstance(s, Stream)]
    assert {type(s.codec).__name__ for s in streams} == kinds
    assert any(isinstance(s.codec, Huffman) and s.count > 2 * CHUNK for s in streams)
    assert "small" in archived.container.streams
    assert len(archived.container.streams) > 3


def test_the_goldens_cover_levels():
    found = archive.read(HERE / "v3-best.safetensors")
    levels = {
        layout.name: coded
        for layout, coded in found.tensors
        if isinstance(coded, Coded) and coded.mixed is not None
    }
    assert sum(name.startswith("levels") for name in levels) == 8
    assert {coded.mixed.goes_on for coded in levels.values()} == {True, False}
    assert {coded.mixed.codec.kernel for coded in levels.values()} >= {1, 9}
    assert max(coded.codebook.count for coded in levels.values()) > 256
    assert {coded.item.width for coded in levels.values()} == {1, 2, 4, 8}


def test_the_goldens_cover_pieces():
    together = archive.read(HERE / "v4-huffman.safetensors").assembly
    kinds = [{run.kind for run in together.runs(file)} for file in together.files]
    assert kinds == [{"literal", "tensor"}, {"literal", "tensor", "zeros"}]


def test_a_golden_is_not_overwritten(capsys):
    before = {path.name: path.read_bytes() for path in HERE.glob("v*")}
    assert make.main() == 1
    assert "stay" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in HERE.glob("v*")} == before

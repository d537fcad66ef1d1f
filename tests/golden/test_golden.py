"""Old files stay readable for ever, bit for bit, and today's writer still writes them."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from compress.artifact import archive, container, convert
from compress.artifact.container import VERSION
from compress.artifact.tensors import Coded
from compress.codecs.huffman import CHUNK, Huffman
from tests.artifact import reader
from tests.golden import make

HERE = Path(__file__).parent


@pytest.fixture(params=range(1, VERSION + 1), ids="v{}".format)
def golden(request):
    """The golden's path without its ending; a file that is missing fails the test."""
    stem = HERE / f"v{request.param}"
    assert stem.with_suffix(".onnx").is_file()
    assert stem.with_suffix(".safetensors").is_file()
    return stem


def test_a_golden_is_readable_bit_for_bit(golden):
    found = archive.read(golden.with_suffix(".safetensors"))
    expected = golden.with_suffix(".onnx").read_bytes()
    assert archive.restore(found).SerializeToString() == expected
    stored = json.loads(json.dumps(make.METADATA))
    assert {key: found.container.metadata[key] for key in stored} == stored


def test_both_readers_agree(golden):
    facts, model = reader.read(golden.with_suffix(".safetensors").read_bytes())
    assert model.SerializeToString() == golden.with_suffix(".onnx").read_bytes()
    assert facts == container.open_file(golden.with_suffix(".safetensors")).metadata


def test_unpacking_gives_the_file(golden, tmp_path):
    target = convert.unpack(golden.with_suffix(".safetensors"), tmp_path / "model.onnx")
    assert target.read_bytes() == golden.with_suffix(".onnx").read_bytes()


def test_packing_today_gives_the_same_bytes(tmp_path):
    """All but the graph's own bytes, which another version of liblzma may choose differently."""
    golden = container.open_file(HERE / f"v{VERSION}.safetensors")
    convert.pack(HERE / f"v{VERSION}.onnx", tmp_path / "model.safetensors", make.METADATA)
    today = container.open_file(tmp_path / "model.safetensors")
    streams = [dict(file.streams) for file in (golden, today)]
    filters = archive._LZMA["filters"]
    graphs = [lzma.decompress(s.pop("graph"), lzma.FORMAT_RAW, filters=filters) for s in streams]
    assert graphs[0] == graphs[1]
    before, now = ({name: data.tobytes() for name, data in s.items()} for s in streams)
    assert now == before
    facts = [{k: v for k, v in f.metadata.items() if k != "sha256"} for f in (golden, today)]
    assert facts[0] == facts[1]


def test_the_golden_covers_what_the_format_knows():
    found = archive.read(HERE / f"v{VERSION}.safetensors")
    coded = [c for _, c in found.tensors if isinstance(c, Coded)]
    forms = {(c.positions, bool(c.codebook), c.columns > 1) for c in coded}
    places = [("all", False), ("gaps", False), ("gaps", True), ("mask", False), ("mask", True)]
    assert forms == {(kind, book, turned) for kind, turned in places for book in (False, True)}
    assert len(found.tensors) - len(coded) > 20
    items = {(layout.item.width, layout.item.is_float) for layout, _ in found.tensors}
    assert len(items) == 7
    streams = [s for c in coded for s in (*c.values, *c.codebook, c.places) if s is not None]
    assert {type(s.codec).__name__ for s in streams} == {"Constant", "FixedWidth", "Huffman"}
    assert any(isinstance(s.codec, Huffman) and s.count > 2 * CHUNK for s in streams)
    assert "small" in found.container.streams
    assert len(found.container.streams) > 3


def test_a_golden_is_not_overwritten(capsys):
    before = (HERE / f"v{VERSION}.safetensors").read_bytes()
    assert make.main() == 1
    assert "stays" in capsys.readouterr().err
    assert (HERE / f"v{VERSION}.safetensors").read_bytes() == before

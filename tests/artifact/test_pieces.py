"""What tells how files are put together: every MUST, and the second reader beside it."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import TensorSpec, serialize

from compress.artifact import archive, container, convert, pieces, texts
from compress.artifact.safetensors_file import Entry, lay_out, read_header
from compress.codecs.cursor import Cursor, varint
from compress.errors import FormatError
from tests.artifact import reader
from tests.artifact.test_archive import model_of, small_model

SIZES, LITERALS = (10, 300), b"literal bytes"
DIGEST = bytes(32)


def told(*files):
    """Return what tells of files, each a name and its pieces."""
    out = varint(len(files))
    for name, stored in files:
        text = name if isinstance(name, bytes) else name.encode()
        out += (
            varint(len(text)) + text + DIGEST + varint(len(stored)) + b"".join(map(varint, stored))
        )
    return out


def both(data, literals=LITERALS, max_bytes=1 << 28):
    """Return the files that both readers see, or None where both refuse them."""
    theirs = None
    try:
        tensors = [bytes([i]) * size for i, size in enumerate(SIZES)]
        found = reader.put_together(reader.Bytes(data), reader.Bytes(literals), tensors, 0)
        theirs = {name: text for name, (_, text) in found.items()}
    except (reader.RefusedError, UnicodeDecodeError):
        pass
    try:
        together = pieces.read(Cursor(data), memoryview(literals), SIZES, max_bytes)
    except FormatError:
        assert theirs is None
        return None
    ours = {}
    for file in together.files:
        parts = [
            {
                "literal": literals[run.place : run.place + run.n_bytes],
                "zeros": bytes(run.n_bytes),
                "tensor": bytes([run.place % 256]) * run.n_bytes,
            }[run.kind]
            for run in together.runs(file)
        ]
        ours[file.name] = b"".join(parts)
        assert file.n_bytes == len(ours[file.name])
    assert ours == theirs
    return ours


ALL = 4 * len(LITERALS)


def test_files_are_put_together():
    data = told(("", [2, 4 * 4, 4 * 5 + 1]), ("a/b", [4 * 9, 6]))
    assert both(data) == {
        "": bytes(10) + b"lite" + bytes(5),
        "a/b": b"ral bytes" + b"\1" * 300,
    }


@pytest.mark.parametrize(
    "data",
    [
        varint(0),
        varint(5000),
        told(("", [ALL])) + b"\0",
        told(("", [ALL]))[:-1],
        told(("", [ALL - 4])),
        told(("", [ALL + 4])),
        told(("", [ALL, 0])),
        told(("", [ALL, 1])),
        told(("", [ALL, 3])),
        told(("", [ALL, 4 * 2 + 2])),
        told(("", [ALL, (4 << 40) + 1])),
        told(("name", [ALL])),
        *(
            told(("", [ALL]), (name, []))
            for name in ("", "/a", "a/", "a//b", ".", "a/..", "../a", "a\\b", "c:", "\0", "\x7f")
        ),
        told(("", [ALL]), (b"\xff", [])),
        told(("", [ALL]), ("a" * 1025, [])),
        told(("", [ALL]), ("a", []), ("a", [])),
    ],
)
def test_what_breaks_a_must_is_refused_by_both_readers(data):
    assert both(data) is None


def test_the_pieces_are_counted_before_they_are_read():
    data = varint(1) + varint(0) + DIGEST + varint(pieces.MAX_PIECES + 1)
    with pytest.raises(FormatError, match="more than 1048576 pieces"):
        pieces.read(Cursor(data), memoryview(b""), SIZES, 1 << 20)
    with pytest.raises(FormatError, match="larger than what is there"):
        pieces.read(Cursor(told(("", [6, 6, 6]))), memoryview(b""), SIZES, 800)


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_are_read_alike_or_refused_by_both(data, literals):
    both(told(("", [])) + data, literals)
    both(varint(2) + told(("", [2]))[1:] + varint(1) + b"a" + DIGEST + data, literals)
    both(varint(1) + varint(0) + DIGEST + data, literals)


def in_pieces(path, told, graph, literals=b""):
    """Write a file around a graph and what tells of files."""
    streams = {
        "graph": texts.encode(graph + literals),
        "source": texts.encode(told),
    }
    container.write(path, {}, streams)
    return path


def test_a_file_that_does_not_have_its_sha256_is_not_written(tmp_path):
    graph = model_of(np.float32(1)).SerializeToString()
    path = tmp_path / "p.safetensors"
    for digest, good in ((hashlib.sha256(b"abc").digest(), True), (DIGEST, False)):
        front = varint(len(graph)) + varint(1) + varint(0) + digest + varint(1) + varint(12)
        in_pieces(path, front, graph, b"abc")
        if good:
            assert convert.unpack(path, tmp_path / "m.onnx").read_bytes() == b"abc"
            assert reader.files(path.read_bytes()) == {"": b"abc"}
            continue
        with pytest.raises(FormatError, match="does not have its SHA-256"):
            convert.unpack(path, tmp_path / "n.onnx")
        with pytest.raises(reader.RefusedError, match="SHA-256"):
            reader.files(path.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "p.safetensors"]


def test_a_graph_that_is_not_all_there(tmp_path):
    path = in_pieces(tmp_path / "p", varint(100) + told(("", [])), b"")
    with pytest.raises(FormatError, match="a graph of 100 bytes is not in 0"):
        archive.read(path)


def test_files_came_with_format_4(tmp_path, monkeypatch):
    graph = small_model().SerializeToString()
    monkeypatch.setattr(container, "_NEWEST", 3)
    path = in_pieces(tmp_path / "p", varint(len(graph)) + told(("", [])), graph)
    with pytest.raises(FormatError, match="came with format 4"):
        archive.read(path)
    with pytest.raises(reader.RefusedError, match="format 4"):
        reader.read(path.read_bytes())


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).filter("__metadata__".__ne__)
LIBRARY = {"BOOL": "bool", "U8": "uint8", "I16": "int16", "BF16": "bfloat16", "F64": "float64"}


@given(st.dictionaries(NAMES, st.sampled_from(sorted(LIBRARY)), max_size=5), NAMES)
def test_headers_are_those_of_the_library(kinds, fact):
    data = np.zeros(16, np.uint8)
    widths = {"I16": 2, "BF16": 2, "F64": 8}
    specs = {
        name: TensorSpec(
            dtype=LIBRARY[kind],
            shape=[16 // widths.get(kind, 1)],
            data_ptr=data.ctypes.data,
            data_len=16,
        )
        for name, kind in kinds.items()
    }
    facts = {fact: fact}
    entries = [Entry(n, k, (16 // widths.get(k, 1),), 16) for n, k in kinds.items()]
    laid = lay_out(entries, facts)
    assert laid.head + bytes(16 * len(entries)) == bytes(serialize(specs, facts))
    assert laid.n_bytes == len(laid.head) + 16 * len(entries)
    read, told_facts, begins = read_header(laid.head)
    assert told_facts == facts == json.loads(json.dumps(facts))
    assert {e.name: b for e, b in zip(read, begins, strict=True)} == {
        e.name: b for e, b in zip(entries, laid.begins, strict=True)
    }

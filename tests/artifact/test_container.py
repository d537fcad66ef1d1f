"""The container: what is a compressed file, what is not, and that nothing of it can be changed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle  # noqa: TID251  # to make a file that must be refused
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save, save_file

from compress.artifact import container
from compress.errors import DataError, FormatError, OutputError

STREAMS = {"graph": b"abc", "0:w/ä": b"\0\1\2\3", "small": b""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("container")


def sealed(text, streams):
    """Write the metadata's text with its hash, as SPEC.md says."""
    parts = [text.encode()]
    for name in sorted(streams, key=str.encode):
        parts += [name.encode(), streams[name]]
    digest = hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts))
    return f'{text},"sha256":"{digest.hexdigest()}"}}'


def raw_file(path, text, streams=STREAMS, **more):
    arrays = {name: np.frombuffer(data, np.uint8) for name, data in streams.items()}
    path.write_bytes(save(arrays, {"compress": text, **more}))
    return path


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    st.dictionaries(
        st.text(max_size=8).filter(lambda name: name != "__metadata__"), st.binary(), max_size=4
    ),
)
def test_round_trip(folder, metadata, streams):
    path = folder / "a.safetensors"
    container.write(path, metadata, streams)
    found = container.open_file(path)
    assert {name: data.tobytes() for name, data in found.streams.items()} == streams
    digest = found.metadata["sha256"]
    assert found.metadata == {**metadata, "format": 3 + ("source" in streams), "sha256": digest}
    assert found.n_bytes == path.stat().st_size
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == set(streams)


def test_the_text_ends_in_its_hash(tmp_path):
    container.write(tmp_path / "a", {"z": [1, "ü"], "a": 0.1}, STREAMS)
    with safe_open(tmp_path / "a", "numpy") as file:
        text = file.metadata()["compress"]
    assert text == sealed('{"a":0.1,"format":3,"z":[1,"ü"]', STREAMS)


def test_other_writers_may_order_and_space_the_metadata(tmp_path):
    path = raw_file(tmp_path / "a", sealed('{ "b": "\\u00fc",\n"format" :1', STREAMS))
    assert container.open_file(path).metadata["b"] == "ü"


@pytest.mark.parametrize(
    "metadata",
    [{"a": float("nan")}, {"a": float("-inf")}, {"a": "\ud800"}, {"a": b""}, {"a": {1, 2}}],
)
def test_metadata_that_cannot_be_json_are_not_written(tmp_path, metadata):
    with pytest.raises(FormatError, match="JSON"):
        container.write(tmp_path / "a", metadata, STREAMS)
    assert not list(tmp_path.iterdir())


def test_metadata_have_a_limit(tmp_path):
    with pytest.raises(FormatError, match="larger"):
        container.write(tmp_path / "a", {"a": "ä" * 600_000}, STREAMS)
    path = raw_file(tmp_path / "a", sealed('{"a":"' + "ä" * 600_000 + '","format":1', STREAMS))
    with pytest.raises(FormatError, match="larger"):
        container.open_file(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[1]", "no format version"),
        ("{}", "no format version"),
        ('{"format":"1"', "no format version"),
        ('{"format":true', "no format version"),
        ('{"format":0', "no format version"),
        ('{"format":1.0', "no format version"),
        ('{"format":1,"a":NaN', "JSON"),
        ('{"format":1,"a":-Infinity', "JSON"),
        ('{"format":1,"a":1e999', "JSON"),
        ('{"format":1,"a":"\\ud800"', "JSON"),
        ('{"format":1,"a":1,"a":2', "twice"),
        ('{"format":1,"a":{"b":1,"b":1}', "twice"),
        ('{"format":1,"a":' + "9" * 5000, "JSON"),
        ('{"format":1,"a":' + "[" * 100_000 + "]" * 100_000, "JSON"),
        ('{"format":5', "has format 5, and this version reads up to 4; upgrade"),
        ('{"format":' + "9" * 400, "upgrade"),
    ],
)
def test_metadata_that_are_none(tmp_path, text, what):
    sealed_text = sealed(text, STREAMS) if text.startswith('{"') else text
    for check in (True, False):
        with pytest.raises(FormatError, match=what):
            container.open_file(raw_file(tmp_path / "a", sealed_text), check=check)


@pytest.mark.parametrize("end", ['"}', ',"sha256":""}', ',"sha256":"' + "A" * 64 + '"}'])
def test_a_hash_is_needed_even_where_it_is_not_compared(tmp_path, end):
    path = raw_file(tmp_path / "a", '{"format":1,"a":"b' + ("" if end == '"}' else '"') + end)
    for check in (True, False):
        with pytest.raises(FormatError, match="SHA-256"):
            container.open_file(path, check=check)


@pytest.mark.parametrize(
    ("streams", "text"),
    [
        ({**STREAMS, "graph": b"abd"}, None),
        ({"graph": b"abc", "0:w/a": b"\0\1\2\3", "small": b""}, None),
        ({"graph": b"abc", "0:w/ä": b"\0\1\2\3"}, None),
        ({"graph": b"abc\0", "0:w/ä": b"\1\2\3", "small": b""}, None),
        ({"5:graph3:abc": b"", **STREAMS}, None),
        (STREAMS, '{"format":1,"a":3'),
        (STREAMS, '{"format":1,"a": 2'),
    ],
)
def test_a_change_is_seen_and_can_be_overlooked(tmp_path, streams, text):
    good = '{"format":1,"a":2'
    digest = sealed(good, STREAMS)[len(good) :]
    path = raw_file(tmp_path / "a", (text or good) + digest, streams)
    with pytest.raises(FormatError, match=r"altered or damaged: its SHA-256 does not match"):
        container.open_file(path)
    assert container.open_file(path, check=False).streams.keys() == streams.keys()


def test_files_that_are_no_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    for data in (b"", b"PK\3\4", pickle.dumps({"w": [1.0] * 100}), os.urandom(5000), b"\0" * 100):
        path.write_bytes(data)
        with pytest.raises(FormatError, match="is not a compressed file"):
            container.open_file(path)


def test_a_pickle_is_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(FormatError):
        container.open_file(tmp_path / "a.safetensors")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"compress": "{}", "other": ""}])
def test_a_plain_safetensors_file(tmp_path, metadata):
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "a", metadata)
    with pytest.raises(FormatError, match="but no compressed model"):
        container.open_file(tmp_path / "a")


def with_header(path, entries, body):
    text = sealed('{"format":1', {})
    header = json.dumps({"__metadata__": {"compress": text}, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("BF16", [1], 2),
        ("F4", [4], 2),
        ("F8_E8M0", [2], 2),
        ("F8_E4M3FNUZ", [2], 2),
        ("F6_E2M3", [4], 3),
        ("BOOL", [2], 2),
        ("I8", [2], 2),
        ("C64", [1], 8),
        ("U8", [1, 2], 2),
        ("U8", [], 1),
        ("U8", [2, 0], 0),
    ],
)
def test_streams_are_rows_of_bytes(tmp_path, dtype, shape, size):
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    with pytest.raises(FormatError):
        container.open_file(with_header(tmp_path / "a", {"w": entry}, bytes(size)), check=False)


@pytest.mark.parametrize(
    "offsets", [[0, 1 << 40], [1, 3], [2, 0], [-1, 2], [0, 1], [0, 3], [1 << 63, 1 << 63]]
)
@pytest.mark.parametrize("size", [2, 1 << 40, 1 << 63])
def test_offsets_stay_within_the_file(tmp_path, offsets, size):
    entry = {"dtype": "U8", "shape": [size], "data_offsets": offsets}
    with pytest.raises(FormatError):
        container.open_file(with_header(tmp_path / "a", {"w": entry}, b"ab"), check=False)


def test_files_that_are_not_there(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="is not a file"):
            container.open_file(path)


def test_nothing_is_written_over_a_folder(tmp_path):
    with pytest.raises(OutputError):
        container.write(tmp_path, {}, STREAMS)


def test_a_header_says_whose_file_it_is(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    container.write(ours, {"model": "m"}, {"graph": b"abc"})
    assert container.is_packed(ours)
    for text in ("zstd", "[]", "{}", '{"format": 3}', '{"sha256": ""}', "[" * 100_000):
        raw_file(theirs, text)
        assert not container.is_packed(theirs)
    for content in (b"", b"\xff" * 8, bytes(8), struct.pack("<Q", 2) + b"{}", b"onnx" * 100):
        theirs.write_bytes(content)
        assert not container.is_packed(theirs)
    assert not container.is_packed(tmp_path / "none")

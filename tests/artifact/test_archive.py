"""Whole files: every model comes back bit for bit, and every damage is a FormatError."""

from __future__ import annotations

import lzma
from collections import Counter

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, numpy_helper

from compress.artifact import archive, container, model, texts
from compress.artifact.archive import Archive
from compress.errors import FormatError
from tests.artifact import reader
from tests.artifact.models import models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("archive")


def model_of(*arrays):
    out = ModelProto(ir_version=10)
    for i, array in enumerate(arrays):
        out.graph.initializer.append(numpy_helper.from_array(np.asarray(array), f"w{i}"))
    return out


def packed(path, onnx_model, metadata=None) -> Archive:
    copy = ModelProto()
    copy.CopyFrom(onnx_model)
    archive.write(path, copy, metadata or {})
    return archive.read(path)


def small_model():
    """Return a model of a few hundred bytes that still has each kind of form and stream."""
    rng = np.random.default_rng(0)
    few = rng.choice(np.float32([-1, 0.25, 0.5, 2]), (8, 24), p=[0.7, 0.1, 0.1, 0.1])
    return model_of(
        few,
        np.where(rng.random((8, 24)) < 0.1, few, np.float32(0)),
        np.where(rng.random((8, 24)) < 0.5, rng.normal(size=(8, 24)).astype(np.float32), 0),
        np.where(np.arange(24) < 6, few, np.float32(0)),
        rng.normal(size=300).astype(np.float32),
        np.full(40, 7, np.int64),
    )


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_any_model_comes_back_bit_for_bit_from_both_readers(folder, onnx_model):
    expected = onnx_model.SerializeToString()
    found = packed(folder / "a.safetensors", onnx_model, {"note": "ä"})
    data = (folder / "a.safetensors").read_bytes()
    assert found.ledger.total() == len(data) == found.container.n_bytes
    assert all(n_bytes >= 0 for n_bytes in found.ledger.values())
    spent = sum(found.n_bytes) + len(found.container.streams["graph"])
    assert spent <= len(data)
    for (layout, _), items in zip(found.tensors, archive.decode(found), strict=True):
        assert items.nbytes == layout.n_bytes >= model.MIN_BYTES
    assert archive.restore(found).SerializeToString() == expected
    facts, read = reader.read(data)
    assert read.SerializeToString() == expected
    assert facts == found.container.metadata


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        packed(tmp_path / name, small_model(), {"b": 1, "a": {"d": 2, "c": 3}})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_ledger_tells_where_the_bytes_are(tmp_path):
    found = packed(tmp_path / "a", small_model())
    forms = [coded.form for _, coded in found.tensors]
    assert forms == [
        "4 centroids",
        "4 centroids, gaps of 4 bits, transposed",
        "dense, mask",
        "4 centroids, gaps of 2 bits, transposed",
        "dense, pooled",
        "dense",
    ]
    total = sum((coded.ledger for _, coded in found.tensors), Counter())
    assert found.ledger["graph"] == len(found.container.streams["graph"])
    assert found.ledger["header"] > total["header"] > 0
    for kind in ("codes", "gaps", "codebooks", "tables", "dense"):
        assert total[kind] == found.ledger[kind] > 0


def attempt(read):
    """Return the model's bytes, or None where the file is refused."""
    try:
        return read()
    except FormatError:
        return None


def ours(path, *, check):
    return attempt(lambda: archive.restore(archive.read(path, check=check)).SerializeToString())


def theirs(data):
    """Return what the second reader gives; it refuses with any of the errors of its tools."""
    refused = (reader.RefusedError, ValueError, LookupError, lzma.LZMAError, DecodeError)
    try:
        return reader.read(data, check=False)[1].SerializeToString()
    except refused:
        return None


FLIPS = (0x01, 0x10, 0x80, 0xFF)


@pytest.mark.parametrize(
    ("flips", "every"),
    [(FLIPS, 3), *(pytest.param((flip,), 1, marks=pytest.mark.slow) for flip in FLIPS)],
    ids=str,
)
def test_a_changed_byte_is_a_format_error(tmp_path, flips, every):
    """Without the checksum, the file is refused or read as the second reader reads it."""
    path = tmp_path / "a.safetensors"
    packed(path, small_model())
    good = path.read_bytes()
    for at in range(0, len(good), every):
        bad = bytearray(good)
        bad[at] ^= flips[at % len(flips)]
        path.write_bytes(bad)
        assert ours(path, check=True) is None, f"byte {at}"
        assert ours(path, check=False) == theirs(bytes(bad)), f"byte {at}"


def test_a_file_cut_short_is_a_format_error(tmp_path):
    path = tmp_path / "a.safetensors"
    packed(path, small_model())
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert ours(path, check=True) is None
        assert ours(path, check=False) is None
    path.write_bytes(good + b"\0")
    assert ours(path, check=False) is None


@pytest.fixture(scope="module")
def streams(folder):
    """The streams of a good file, to be damaged."""
    return {
        name: data.tobytes()
        for name, data in packed(folder / "s", small_model()).container.streams.items()
    }


@given(st.data())
def test_damage_under_a_good_checksum(folder, streams, data):
    """Whatever is changed in a stream, both readers refuse it or read the same model."""
    name = data.draw(st.sampled_from(sorted(streams)))
    changed = bytearray(streams[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed)))
        cut = data.draw(st.integers(0, 2))
        changed[at : at + cut] = data.draw(st.binary(max_size=3))
    path = folder / "damaged.safetensors"
    container.write(path, {}, {**streams, name: bytes(changed)})
    assert ours(path, check=True) == theirs(path.read_bytes())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"graph": None}, "graph"),
        ({"graph": b""}, "graph"),
        ({"graph": b"\0" * 40}, "graph"),
        ({"small": None}, "left"),
        ({"small": b""}, "left"),
        ({"9:w9": b"\0"}, "belong to no tensor"),
        ({"weights": b"\0"}, "belong to no tensor"),
        ({"0:w0": b"\0"}, "bytes wanted"),
    ],
)
def test_streams_that_do_not_fit_the_graph(tmp_path, streams, change, what):
    changed = {name: data for name, data in {**streams, **change}.items() if data is not None}
    container.write(tmp_path / "a", {}, changed)
    with pytest.raises(FormatError, match=what):
        archive.read(tmp_path / "a")


def with_graph(path, graph, **streams):
    """Write a file around a graph."""
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    container.write(path, {}, {"graph": lzma.compress(data, **texts.LZMA), **streams})
    return path


def test_a_graph_that_is_no_model(tmp_path):
    with pytest.raises(FormatError, match="no ONNX model"):
        archive.read(with_graph(tmp_path / "a", b"\xff\xff\xff"))


def test_a_graph_may_not_name_other_files(tmp_path):
    hostile = ModelProto()
    model.refer(hostile.graph.initializer.add(data_type=1, dims=[64]), "../secret", 0, 256)
    with pytest.raises(FormatError, match="another file"):
        archive.read(with_graph(tmp_path / "a", hostile))
    with pytest.raises(FormatError, match="another file"):
        archive.write(tmp_path / "b", hostile, {})


@pytest.mark.parametrize("field", ["double_data", "float_data"])
def test_a_field_that_the_data_do_not_fit(tmp_path, field):
    hostile = ModelProto()
    tensor = hostile.graph.initializer.add(data_type=TensorProto.UINT8, dims=[66])
    tensor.external_data.add(key="compress.field", value=field)
    path = with_graph(tmp_path / "a", hostile, small=b"\0\0\7")
    with pytest.raises(FormatError, match="fit"):
        archive.read(path)


def test_an_error_in_a_tensor_names_file_and_tensor(tmp_path):
    hostile = ModelProto()
    hostile.graph.initializer.add(data_type=TensorProto.UINT8, dims=[64], name="conv1")
    found = archive.read(with_graph(tmp_path / "a", hostile, small=b"\0\0\x80\2"))
    with pytest.raises(FormatError, match="a: conv1: a row of bytes"):
        archive.restore(found)


def test_small_tensors_are_decoded_in_one_go(tmp_path):
    sizes = (1 << 18, 99, 1 << 17, 1 << 17, 99, 1 << 19, 99)
    arrays = [np.arange(size, dtype=np.int32) for size in sizes]
    assert packed(tmp_path / "a", model_of(*arrays)).groups == ((0,), (1, 2), (3, 4), (5,), (6,))


def test_levels_that_go_on_wait_for_those_before_them_alone(tmp_path):
    rng = np.random.default_rng(0)
    few = [rng.choice(np.float32([-1, 0, 0, 0, 2]), (200, 300)) for _ in range(3)]
    noise = [rng.normal(size=5000).astype(np.float32) for _ in range(3)]
    onnx_model = model_of(few[0], noise[0], few[1], noise[1], noise[2], few[2])
    archive.write(tmp_path / "a", onnx_model, {}, coder="best")
    found = archive.read(tmp_path / "a")
    assert found.groups == ((0, 2, 5), (1, 3, 4))
    decoded = [np.frombuffer(items, np.float32) for items in archive.decode(found)]
    for index, values in zip((0, 2, 5), few, strict=True):
        np.testing.assert_array_equal(decoded[index], values.ravel())


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_ends_the_decoding(tmp_path, monkeypatch, cores):
    monkeypatch.setattr("compress.limits.cores", lambda: cores)
    found = packed(tmp_path / "a", model_of(*(np.arange(1 << 18, dtype=np.int32),) * 40))
    placed = []

    def place(index, layout):
        placed.append(index)
        if index == 2:
            raise FormatError("no")
        return np.empty(layout.count, layout.item.dtype)

    with pytest.raises(FormatError, match="no"):
        archive.decode_into(found, place)
    assert len(placed) < 20


def test_an_own_stream_or_a_place_in_small_are_alike(tmp_path):
    plain = ModelProto()
    plain.graph.initializer.add(data_type=TensorProto.UINT8, dims=[64], name="w")
    for streams in ({"small": b"\0\0\7"}, {"0:w": b"\0\0\7"}):
        found = archive.read(with_graph(tmp_path / "a", plain, **streams))
        assert archive.restore(found).graph.initializer[0].raw_data == bytes([7]) * 64
    with pytest.raises(FormatError, match="form 16"):
        archive.read(with_graph(tmp_path / "a", plain, **{"0:w": b"\x10\0\7"}))


def test_names_that_are_no_text(tmp_path):
    plain = ModelProto.FromString(
        b"\x3a" + bytes([2 + 70 + 8]) + b"\x2a" + bytes([70 + 8]) + b"\x08\x40\x10\x02"
        b"\x42\x02\xff\xfe" + b"\x4a\x40" + bytes(range(64)) + b"\x42\x02\xff\xfe"
    )
    expected = plain.SerializeToString()
    found = packed(tmp_path / "a", plain)
    assert found.tensors[0][0].name == ""
    assert archive.restore(found).SerializeToString() == expected
    assert reader.read((tmp_path / "a").read_bytes())[1].SerializeToString() == expected


def test_a_tensor_without_data_is_not_packed(tmp_path):
    empty = ModelProto()
    empty.graph.initializer.add(data_type=TensorProto.FLOAT, dims=[64], name="w")
    with pytest.raises(FormatError, match="'w' has no data"):
        archive.write(tmp_path / "a", empty, {})
    empty.graph.initializer[0].external_data.add(key="compress.field", value="float_data")
    with pytest.raises(FormatError, match="'w' has no data"):
        archive.write(tmp_path / "a", empty, {})
    assert not list(tmp_path.iterdir())


def test_what_readers_would_refuse_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_FREE_BYTES", 0)
    with pytest.raises(FormatError, match="too uniform to be packed"):
        archive.write(tmp_path / "a", model_of(np.zeros(10_000_000, np.float32)), {})
    large = ModelProto(doc_string="a" * 10_000_000)
    with pytest.raises(FormatError, match="too uniform to be packed"):
        archive.write(tmp_path / "a", large, {})
    assert not list(tmp_path.iterdir())


def test_a_model_without_tensors_has_no_small_stream(tmp_path):
    found = packed(tmp_path / "a", model_of(np.float32(1)))
    assert list(found.container.streams) == ["graph"]
    assert found.tensors == ()
    assert len(archive.restore(found).graph.initializer) == 1


@pytest.mark.parametrize("value", [-0.0, 1e-45, np.nan, np.inf])
def test_only_the_bits_of_zero_are_zero(tmp_path, value):
    array = np.zeros(500, np.float32)
    array[::50] = value
    found = packed(tmp_path / "a", model_of(array))
    assert "gaps" in found.tensors[0][1].form
    assert next(archive.decode(found)).tobytes() == array.tobytes()

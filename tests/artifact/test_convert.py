"""Packing files of others, and giving them back."""

from __future__ import annotations

import json
import os
import re

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress.artifact import archive, convert
from compress.artifact.safetensors_file import TYPES, Entry, lay_out
from compress.errors import DataError, FormatError, OutputError

RNG = np.random.default_rng(0)


def unpacked(packed):
    """Unpack twice, and return the model once both have the same bytes."""
    first, again = (convert.unpack(packed, packed.parent / n / "m") for n in "ab")
    assert first.read_bytes() == again.read_bytes()
    return first


def plain_model(*arrays):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "plain",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, None]),
            helper.make_tensor_value_info("w0", TensorProto.FLOAT, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(arrays)],
    )
    return helper.make_model(graph)


@pytest.fixture
def source(tmp_path):
    weights = RNG.normal(size=(40, 50)).astype(np.float32)
    path = tmp_path / "net.onnx"
    path.write_bytes(plain_model(weights, weights * (weights > 1)).SerializeToString())
    return path


def test_an_onnx_file_there_and_back(source, tmp_path):
    packed = tmp_path / "net.safetensors"
    convert.pack(source, packed, {"metrics": {"accuracy": 0.5}})
    back = convert.unpack(packed)
    assert back == tmp_path / "net.unpacked.onnx"
    assert back.read_bytes() == source.read_bytes()
    facts = archive.read(packed).container.metadata
    del facts["sha256"]
    assert facts == {
        "format": 3,  # nothing in it is newer, and readers of that format take it
        "model": "net",
        "inputs": [{"name": "x", "type": 1, "shape": ["batch", 3, None]}],
        "outputs": [{"name": "y", "type": 1, "shape": []}],
        "metrics": {"accuracy": 0.5},
    }


def test_a_model_too_large_for_protobuf_keeps_its_data_beside(source, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "_PROTOBUF_LIMIT", 1000)
    convert.pack(source, tmp_path / "net.safetensors")
    target = convert.unpack(tmp_path / "net.safetensors", tmp_path / "out" / "large.onnx")
    digest = archive.read(tmp_path / "net.safetensors").container.metadata["sha256"]
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "large.onnx",
        f"large.onnx.{digest[:16]}.data",
    ]
    assert target.stat().st_size < 1000
    onnx.checker.check_model(target)
    for ours, expected in zip(
        onnx.load(target).graph.initializer, onnx.load(source).graph.initializer, strict=True
    ):
        assert ours.raw_data == expected.raw_data
    convert.pack(target, tmp_path / "again.safetensors")
    names = [archive.read(tmp_path / f"{name}.safetensors") for name in ("net", "again")]
    assert names[0].n_bytes == names[1].n_bytes


ARRAYS = {
    "float": RNG.normal(size=(30, 7)).astype(np.float32),
    "few": RNG.choice(np.float32([0, 1, 2]), (50, 50)),
    "half": RNG.normal(size=100).astype(np.float16),
    "double": RNG.normal(size=(3, 4, 5)),
    "ints": np.arange(300),
    "bytes": np.arange(256, dtype=np.uint8),
    "flags": RNG.random(500) < 0.1,
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.array(3.5, np.float32),
    "ä/b c": np.full(40, np.nan, np.float32),
    "complex": np.arange(40).astype(np.complex64),
}


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_of_weights_there_and_back(tmp_path, metadata):
    path = tmp_path / "w.safetensors"
    save_file(ARRAYS, path, metadata)
    convert.pack(path, tmp_path / "packed.safetensors")
    convert.pack(path, tmp_path / "again.safetensors")
    both = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("packed", "again")]
    assert both[0] == both[1]
    back = convert.unpack(tmp_path / "packed.safetensors")
    assert back == tmp_path / "packed.unpacked.safetensors"
    assert back.read_bytes() == path.read_bytes()
    assert {name: a.tobytes() for name, a in load_file(back).items()} == {
        name: a.tobytes() for name, a in ARRAYS.items()
    }


def test_weights_of_every_type_and_several_metadata(tmp_path):
    """In the order of their names; the library writes this metadata in another order each time."""
    bits = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "BF16": 16}
    names = {name: bits.get(name) or int(re.findall(r"\d+", name)[0]) for name in TYPES}
    entries = [Entry(name, name, (96 * 8 // n_bits,), 96) for name, n_bits in names.items()]
    laid = lay_out(entries, {"b": "ü", "a": "1", "": ""})
    path = tmp_path / "w.safetensors"
    path.write_bytes(laid.head + RNG.bytes(96 * len(entries)))
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == set(TYPES)
    convert.pack(path, tmp_path / "p.safetensors")
    assert archive.read(tmp_path / "p.safetensors").assembly is None
    assert unpacked(tmp_path / "p.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["net.onnx", "w.safetensors"])
def test_broken_sources(tmp_path, name):
    with pytest.raises(DataError, match="is not a file"):
        convert.pack(tmp_path / name, tmp_path / "out")
    for data in (b"", b"\xff" * 100):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="is not a readable"):
            convert.pack(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_that_are_not_known(tmp_path, source):
    (tmp_path / "net.pt").write_bytes(b"")
    with pytest.raises(DataError, match=r"end in \.onnx or \.safetensors"):
        convert.pack(tmp_path / "net.pt", tmp_path / "out")
    convert.pack(source, tmp_path / "net.safetensors")
    with pytest.raises(DataError, match="packed already"):
        convert.pack(tmp_path / "net.safetensors", tmp_path / "out")


def test_a_file_is_not_written_over_itself(source, tmp_path):
    convert.pack(source, tmp_path / "net.safetensors")
    (tmp_path / "link").symlink_to(source)
    for act, one, other in (
        (convert.pack, source, source),
        (convert.pack, source, tmp_path / "link"),
        (convert.unpack, tmp_path / "net.safetensors", tmp_path / "net.safetensors"),
    ):
        before = one.read_bytes()
        with pytest.raises(OutputError, match="would overwrite"):
            act(one, other)
        assert one.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"data_type": TensorProto.STRING},
        {"data_type": 99},
        {"dims": [7]},
        {"dims": [-30, -7]},
        {"dims": [1 << 62, 1 << 62]},
        {"name": b"\xff"},
        {"raw_data": b""},
    ],
)
def test_weights_that_no_safetensors_file_can_hold(tmp_path, change):
    hostile = ModelProto(producer_name="safetensors")
    fields = {"name": "w", "data_type": 1, "dims": [5], "raw_data": bytes(20)}
    name = change.pop("name", None)
    hostile.graph.initializer.append(TensorProto(**{**fields, **change}))
    if name is not None:
        hostile.graph.initializer[0].MergeFromString(b"\x42\x01" + name)
    archive.write(tmp_path / "p.safetensors", hostile, {})
    with pytest.raises(FormatError, match="do not fit a safetensors file"):
        convert.unpack(tmp_path / "p.safetensors")


def test_a_name_that_is_no_unicode(source, tmp_path):
    odd = tmp_path / os.fsdecode(b"net\xff.onnx")
    odd.write_bytes(source.read_bytes())
    convert.pack(odd, tmp_path / "net.safetensors")
    facts = archive.read(tmp_path / "net.safetensors").container.metadata
    assert facts["model"] == "net\N{REPLACEMENT CHARACTER}"
    json.dumps(facts).encode()


def test_an_output_folder_is_made_and_a_bad_one_refused(source, tmp_path):
    convert.pack(source, tmp_path / "a" / "b" / "net.safetensors")
    convert.unpack(tmp_path / "a" / "b" / "net.safetensors", tmp_path / "c" / "net.onnx")
    assert (tmp_path / "c" / "net.onnx").read_bytes() == source.read_bytes()
    with pytest.raises(OutputError, match="cannot write"):
        convert.pack(source, source / "net.safetensors")


def test_packing_leaves_out_no_type(tmp_path):
    """Any model that packs and unpacks keeps its small floats, too: bfloat16 here."""
    array = RNG.normal(size=(20, 20)).astype(ml_dtypes.bfloat16)
    (tmp_path / "a.onnx").write_bytes(plain_model(array).SerializeToString())
    convert.pack(tmp_path / "a.onnx", tmp_path / "a.safetensors")
    found = next(archive.decode(archive.read(tmp_path / "a.safetensors")))
    assert found.tobytes() == array.tobytes()
    restored = onnx.load(convert.unpack(tmp_path / "a.safetensors", tmp_path / "b.onnx"))
    np.testing.assert_array_equal(numpy_helper.to_array(restored.graph.initializer[0]), array)


def test_what_was_unpacked_before_gives_way_until_it_is_altered(source, tmp_path):
    packed, target = tmp_path / "p.safetensors", tmp_path / "out.onnx"
    for scale in (1, 2):
        source.write_bytes(plain_model(np.full((9, 9), scale, np.float32)).SerializeToString())
        convert.pack(source, packed)
        convert.unpack(packed, target)
        assert target.read_bytes() == source.read_bytes()
        if not convert._is_own(target):
            pytest.skip("this file system keeps no attributes")
    target.write_bytes(b"altered" + source.read_bytes())
    source.write_bytes(plain_model(np.zeros((9, 9), np.float32)).SerializeToString())
    convert.pack(source, packed)
    with pytest.raises(OutputError, match="another file"):
        convert.unpack(packed, target)

"""Files come back byte for byte, whoever wrote them; data beside a model are read within bounds."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from compress.artifact import archive, container, convert, model, sources, texts
from compress.artifact.texts import MAX_BYTES
from compress.errors import DataError, OutputError
from tests.artifact import reader
from tests.artifact.models import models
from tests.artifact.writers import WAYS, written
from tests.golden.make import golden_model

NUMBERS = np.arange(40, dtype=np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sources")


def there_and_back(path, folder, **settings):
    """Pack and unpack; return what is in the compressed file once all files are the same."""
    packed = folder / "packed.safetensors"
    convert.pack(path, packed, **settings)
    found = archive.read(packed)
    assert found.ledger.total() == packed.stat().st_size
    paths = convert.unpack_all(packed, folder / "back" / path.name, force=True)
    assert paths[0].read_bytes() == path.read_bytes()
    for file in paths[1:]:
        beside = path.parent / file.relative_to(folder / "back")
        assert file.read_bytes() == beside.read_bytes()
    if found.assembly is not None:
        told = reader.files(packed.read_bytes())
        assert told.pop("") == path.read_bytes()
        assert [paths[0].parent / name for name in told] == list(paths[1:])
    return found


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(models(), st.sampled_from(WAYS))
def test_any_writer_s_file_comes_back(folder, onnx_model, way):
    onnx_model.graph.name = "some"  # a graph without fields is none
    path = folder / "theirs.onnx"
    path.write_bytes(written(onnx_model, way))
    found = there_and_back(path, folder)
    parsed = ModelProto.FromString(path.read_bytes())
    assert archive.restore(found).SerializeToString() == parsed.SerializeToString()


@pytest.mark.parametrize("coder", ["huffman", "best"])
def test_every_type_field_and_place_of_a_tensor_comes_back(folder, coder):
    """Initializers, attributes, subgraphs, functions, sparse tensors, typed fields, strings."""
    whole = golden_model()
    for kept in ("levels", "blocks", "chunks", "long runs", "own stream"):
        for tensor in [t for t in whole.graph.initializer if t.name.startswith(kept)]:
            whole.graph.initializer.remove(tensor)
    whole.training_info.add().algorithm.initializer.append(numpy_helper.from_array(NUMBERS, "t"))
    whole.graph.node.append(
        helper.make_node("Constant", [], ["c"], value_floats=NUMBERS, value_string=b"\xff")
    )
    helper.set_model_props(whole, {"a": "b"})
    path = folder / "all.onnx"
    path.write_bytes(whole.SerializeToString())
    assert there_and_back(path, folder, coder=coder).assembly is None
    path.write_bytes(written(whole, "reversed"))
    assert there_and_back(path, folder, coder=coder).assembly is not None


def test_the_graph_of_another_writer_costs_little_more(tmp_path):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(40, 50)).astype(np.float32) for _ in range(9)]
    plain = ModelProto(ir_version=10)
    plain.graph.initializer.extend(
        numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)
    )
    sizes = []
    for way in (None, *WAYS):
        path = tmp_path / "m.onnx"
        path.write_bytes(written(plain, way) if way else plain.SerializeToString())
        found = there_and_back(path, tmp_path)
        sizes.append(found.container.n_bytes)
    assert max(sizes) < sizes[0] + 700


@pytest.fixture
def external(tmp_path):
    """A model file with external data in an initializer, a subgraph and a sparse tensor."""
    inner = helper.make_graph([], "inner", [], [], [numpy_helper.from_array(NUMBERS + 1, "inner")])
    outer = ModelProto(ir_version=10)
    outer.graph.initializer.append(numpy_helper.from_array(NUMBERS, "outer"))
    outer.graph.node.append(helper.make_node("If", ["c"], ["o"], then_branch=inner))
    sparse = outer.graph.sparse_initializer.add()
    sparse.values.CopyFrom(numpy_helper.from_array(NUMBERS + 2, "values"))
    outer.graph.initializer.append(numpy_helper.from_array(np.float32(3), "small"))
    save(outer, tmp_path / "in")
    return tmp_path / "in" / "model.onnx"


def save(onnx_model, folder, location="weights.bin"):
    """Write a model and its data, with a gap between tensors and something behind them."""
    folder.mkdir()
    data = b""
    for tensor in model.tensors(onnx_model):
        raw = tensor.raw_data
        model.refer(tensor, location, len(data), len(raw))
        data += raw + bytes(300)
    (folder / "weights.bin").write_bytes(data + b"behind")
    (folder / "model.onnx").write_bytes(onnx_model.SerializeToString())


def test_data_beside_a_model_come_back_as_the_file_that_they_were(external, tmp_path):
    found = there_and_back(external, tmp_path)
    restored = archive.restore(found)
    arrays = [numpy_helper.to_array(t) for t in model.tensors(restored)]
    for array, wanted in zip(arrays, (NUMBERS + 1, NUMBERS, 3, NUMBERS + 2), strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert len(found.tensors) == 3


def test_links_are_followed_and_folders_below_kept(external, tmp_path):
    """As Hugging Face's cache keeps files."""
    there, blobs = tmp_path / "snapshots" / "onnx", tmp_path / "blobs"
    (there / "data").mkdir(parents=True)
    blobs.mkdir()
    text = external.read_bytes().replace(b"weights.bin", b"data//w.bin")
    (blobs / "a").write_bytes(text)
    (blobs / "b").write_bytes((external.parent / "weights.bin").read_bytes())
    (there / "model.onnx").symlink_to(blobs / "a")
    (there / "data" / "w.bin").symlink_to(blobs / "b")
    there_and_back(there / "model.onnx", tmp_path)
    (there / "data" / "w.bin").unlink()
    os.link(blobs / "b", there / "data" / "w.bin")
    there_and_back(there / "model.onnx", tmp_path)


def referring(path, **facts):
    """Write a model whose one tensor refers to data beside it."""
    onnx_model = ModelProto()
    tensor = onnx_model.graph.initializer.add(name="w", data_type=1, dims=[40])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in facts.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(onnx_model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({}, "lie in None"),
        ({"location": "/etc/passwd"}, "not in a file below its folder"),
        ({"location": "../w"}, "not in a file below its folder"),
        ({"location": "a/../../w"}, "not in a file below its folder"),
        ({"location": "a\\w"}, "not in a file below its folder"),
        ({"location": "w\0"}, "not in a file below its folder"),
        ({"location": "m.onnx", "length": "5"}, "lie in the model file itself"),
        ({"location": "none"}, "is not there or no file"),
        ({"location": "folder"}, "is not there or no file"),
        ({"location": "pipe"}, "is not there or no file"),
        ({"location": "w", "offset": "41"}, "which has 200"),
        ({"location": "w", "offset": "-1"}, "which has 200"),
        ({"location": "w", "length": "201"}, "which has 200"),
        ({"location": "w", "offset": "9" * 30}, "which has 200"),
        ({"location": "w", "length": "1e2"}, "which has 200"),
    ],
)
def test_data_that_lie_elsewhere_are_refused(tmp_path, facts, what):
    (tmp_path / "w").write_bytes(bytes(200))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = referring(tmp_path / "m.onnx", **facts)
    with pytest.raises(DataError, match=what):
        convert.pack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tensor_without_data_is_told_with_its_file(tmp_path):
    onnx_model = ModelProto()
    onnx_model.graph.initializer.add(data_type=1, dims=[64], name="w")
    (tmp_path / "m.onnx").write_bytes(onnx_model.SerializeToString())
    with pytest.raises(DataError, match=r"m\.onnx: the tensor 'w' has no data"):
        convert.pack(tmp_path / "m.onnx", tmp_path / "out")


def test_names_that_some_systems_take_for_one_are_refused_when_packed(tmp_path):
    onnx_model = ModelProto.FromString(referring(tmp_path / "m.onnx", location="w").read_bytes())
    onnx_model.graph.initializer.add().CopyFrom(onnx_model.graph.initializer[0])
    onnx_model.graph.initializer[1].external_data[0].value = "W"
    (tmp_path / "m.onnx").write_bytes(onnx_model.SerializeToString())
    for name in "wW":
        (tmp_path / name).write_bytes(bytes(160))
    with pytest.raises(DataError, match="lie in 'W', which other systems take for another name"):
        convert.pack(tmp_path / "m.onnx", tmp_path / "out")


def test_a_length_that_is_not_told_is_the_tensor_s(tmp_path):
    (tmp_path / "w").write_bytes(np.arange(50, dtype=np.float32).tobytes())
    found = there_and_back(referring(tmp_path / "m.onnx", location="./w", offset="8"), tmp_path)
    np.testing.assert_array_equal(
        np.frombuffer(next(archive.decode(found)), np.float32), np.arange(2, 42)
    )


def test_data_that_overlap_come_back(tmp_path):
    onnx_model = ModelProto()
    for number, offset in enumerate((0, 80, 0, 240)):
        tensor = onnx_model.graph.initializer.add(name=f"w{number}", data_type=1, dims=[40])
        model.refer(tensor, "w", offset, 160)
    (tmp_path / "w").write_bytes(np.random.default_rng(0).bytes(500))
    (tmp_path / "m.onnx").write_bytes(onnx_model.SerializeToString())
    assert len(there_and_back(tmp_path / "m.onnx", tmp_path).tensors) == 4


def test_no_file_that_is_read_is_written(external, tmp_path):
    weights = external.parent / "weights.bin"
    before = weights.read_bytes()
    with pytest.raises(OutputError, match="would overwrite what is read"):
        convert.pack(external, weights, force=True)
    packed = external.parent / "packed.safetensors"
    convert.pack(external, packed)
    with pytest.raises(OutputError, match=r"weights\.bin is the name of a file beside"):
        convert.unpack(packed, weights, force=True)
    packed.replace(tmp_path / "weights.bin")
    with pytest.raises(OutputError, match="would overwrite what is read"):
        convert.unpack(tmp_path / "weights.bin", tmp_path / "back.onnx", force=True)
    assert weights.read_bytes() == before


def test_a_file_beside_a_target_stays_unless_it_is_forced(external, tmp_path):
    packed, out = tmp_path / "p.safetensors", tmp_path / "out"
    convert.pack(external, packed)
    out.mkdir()
    (out / "weights.bin").write_bytes(b"another")
    with pytest.raises(OutputError, match="another file of 7 bytes is there"):
        convert.unpack(packed, out / "model.onnx")
    assert [path.name for path in out.iterdir()] == ["weights.bin"]
    convert.unpack(packed, out / "model.onnx", force=True)
    convert.unpack(packed, out / "model.onnx")  # the same bytes
    assert (out / "model.onnx").read_bytes() == external.read_bytes()


def test_an_old_model_never_stands_beside_new_data(external, tmp_path, monkeypatch):
    """Killed when the data have their name and the model has none yet."""
    packed, out = tmp_path / "p.safetensors", tmp_path / "out"
    convert.pack(external, packed)
    out.mkdir()
    for name in ("model.onnx", "weights.bin"):
        (out / name).write_bytes(b"old")
    steps = []
    replace = type(out).replace

    def watched(self, target):
        done = replace(self, target)
        steps.append({path.name for path in out.iterdir() if not path.name.startswith(".")})
        return done

    monkeypatch.setattr(type(out), "replace", watched)
    convert.unpack(packed, out / "model.onnx", force=True)
    assert {"weights.bin"} in steps
    assert (out / "model.onnx").read_bytes() == external.read_bytes()


def test_links_stay_where_forced_files_replace_what_they_point_to(external, tmp_path):
    packed, out, kept = tmp_path / "p.safetensors", tmp_path / "out", tmp_path / "kept"
    convert.pack(external, packed)
    for folder in (out, kept):
        folder.mkdir()
    for name in ("model.onnx", "weights.bin"):
        (kept / name).write_bytes(b"old")
        (out / name).symlink_to(kept / name)
    convert.unpack(packed, out / "model.onnx", force=True)
    assert (out / "model.onnx").is_symlink()
    assert (out / "model.onnx").read_bytes() == external.read_bytes()


def test_what_would_not_come_back_is_not_written(external, tmp_path, monkeypatch):
    """A decoder that errs stands for any fault."""
    decode = archive._decode_one

    def wrong(found, index, out, learned):
        left = decode(found, index, out, learned)
        out[0] ^= 1
        return left

    plain = tmp_path / "plain.onnx"
    plain.write_bytes(golden_model().SerializeToString())
    monkeypatch.setattr(archive, "_decode_one", wrong)
    for path in (external, plain):
        with pytest.raises(DataError, match="would not come back byte for byte, so nothing was"):
            convert.pack(path, tmp_path / "p.safetensors")
        assert not (tmp_path / "p.safetensors").exists()


def test_too_much_that_is_no_tensor_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 10_000)
    monkeypatch.setattr(texts, "encode", None)  # nothing is coded before
    forest = helper.make_node("Trees", [], ["y"], values=np.arange(9000.0))
    path = tmp_path / "forest.onnx"
    path.write_bytes(
        helper.make_model(helper.make_graph([forest], "g", [], [])).SerializeToString()
    )
    with pytest.raises(DataError, match=r"in nodes, attributes and names, not tensors: 0\.\d MiB"):
        convert.pack(path, tmp_path / "out")
    (tmp_path / "w").write_bytes(np.random.default_rng(0).bytes(20_000))
    path = referring(tmp_path / "m.onnx", location="w", length="160")
    with pytest.raises(DataError, match=r"w has too much of other bytes than tensors' data"):
        convert.pack(path, tmp_path / "out")


def test_a_large_graph_is_what_format_4_is_for(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    forest = ModelProto(doc_string="".join(map(str, range(1000))))
    forest.graph.name = "forest"
    path.write_bytes(forest.SerializeToString())
    for most, version in ((1 << 20, 3), (1000, 4)):
        monkeypatch.setattr(texts, "PLAIN_BYTES", most)
        found = there_and_back(path, tmp_path)
        assert found.container.metadata["format"] == version
        assert found.assembly is None
    monkeypatch.setattr(container, "_NEWEST", 3)
    with pytest.raises(DataError, match="cut short, too large"):
        convert.pack(path, tmp_path / "out")


def test_an_onnx_file_above_protobuf_s_limit_is_told_at_once(tmp_path):
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate((1 << 31) + 5)  # takes no room on the disk
    with pytest.raises(DataError, match="has 2048 MiB, and an ONNX file ends at 2048 MiB"):
        convert.pack(tmp_path / "m.onnx", tmp_path / "out")


@pytest.mark.slow  # 20 s, 3 GiB on the disk where it has no holes
def test_data_of_more_than_two_gib_come_back(tmp_path):
    """Nine tensors of one file with holes, of 2.2 GiB."""
    size, count = 250 << 20, 9
    noise = np.random.default_rng(0).bytes(100_000)  # what is all alike is refused
    onnx_model = ModelProto(ir_version=10)
    with (tmp_path / "w").open("wb") as file:
        for number in range(count):
            tensor = onnx_model.graph.initializer.add(name=f"{number}", data_type=2, dims=[size])
            model.refer(tensor, "w", number * size, size)
            file.seek(number * size + 5)
            file.write(noise)
        file.truncate(count * size)
    (tmp_path / "m.onnx").write_bytes(onnx_model.SerializeToString())
    convert.pack(tmp_path / "m.onnx", tmp_path / "p.safetensors")
    assert (tmp_path / "p.safetensors").stat().st_size < MAX_BYTES // 100
    paths = convert.unpack_all(tmp_path / "p.safetensors", tmp_path / "out" / "m.onnx")
    assert [path.stat().st_size for path in paths] == [
        (tmp_path / name).stat().st_size for name in ("m.onnx", "w")
    ]
    for path in (*paths, tmp_path / "w"):
        path.unlink()


def weights_file(path, header, body, pad=b""):
    text = (header if isinstance(header, bytes) else json.dumps(header).encode()) + pad
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def entry(kind, shape, begin, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"b": entry("F16", [100], 0, 200), "a": entry("F32", [50], 200, 400)},
        {"__metadata__": {"z": "1", "a": "2"}, "a": entry("F32", [100], 0, 400)},
        {"a": entry("F4", [800], 0, 400), "__metadata__": {}},
        {
            "a": entry("BOOL", [0, 3], 0, 0),
            "b": entry("I64", [], 0, 8),
            "c": entry("U8", [392], 8, 400),
        },
        json.dumps(
            {"é": entry("F6_E2M3", [128], 0, 96), "b": entry("U8", [304], 96, 400)}
        ).encode(),
        json.dumps({"a": entry("F8_E8M0", [400], 0, 400)}, indent=2).encode() + b"    \n",
    ],
)
def test_weights_of_any_writer_come_back(tmp_path, header):
    body = np.random.default_rng(0).bytes(400)
    there_and_back(weights_file(tmp_path / "w.safetensors", header, body), tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry("F32", [10], 0, 40), "b": entry("F32", [10], 80, 120)},  # a hole
        {"a": entry("F32", [30], 0, 120), "b": entry("F32", [10], 80, 120)},
        {"a": entry("F3", [30], 0, 120)},
        {"a": entry("F32", [1 << 62, 0], 0, 0), "b": entry("F32", [1 << 64], 0, 120)},
        {"a": 3},
        b"[]",
    ],
)
def test_weights_that_are_none_are_refused_in_one_line(tmp_path, header):
    path = weights_file(tmp_path / "w.safetensors", header, bytes(120))
    with pytest.raises(DataError, match=r"w\.safetensors"):
        convert.pack(path, tmp_path / "out")

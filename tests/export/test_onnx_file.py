"""The writer of ONNX files: protobuf's own bytes, and models that are too large for one message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from compress.artifact import archive, convert, onnx_file
from compress.artifact.onnx_file import RawData
from compress.errors import OutputError
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.runtime import load
from tests.export.networks import in_onnxruntime

if TYPE_CHECKING:
    from onnx import ModelProto


def model_and_data() -> tuple[ModelProto, ModelProto, dict[int, RawData]]:
    """Return a model with fields on all sides of its data, and the same without the data."""
    from onnx import ModelProto, TensorProto, helper

    random = np.random.default_rng(0)
    initializers, data = [], {}
    for number, size in enumerate([1, 0, 127, 128, 20_000, 3]):
        raw = random.bytes(4 * size)
        tensor = TensorProto(name=f"w{number}", data_type=1, dims=[size], doc_string="behind")
        tensor.raw_data = raw
        initializers.append(tensor)
        if number != 5:  # one keeps its own
            data[number] = RawData(len(raw), lambda raw=raw: memoryview(raw))  # type: ignore[misc]
    value = helper.make_tensor_value_info("w4", 1, [20_000])
    graph = helper.make_graph([], "name", [], [value], initializers, doc_string="between")
    whole = helper.make_model(graph, producer_name="before", doc_string="graph")
    helper.set_model_props(whole, {"behind": "all"})
    empty = ModelProto()
    empty.CopyFrom(whole)
    for number in data:
        empty.graph.initializer[number].ClearField("raw_data")
    return whole, empty, data


def plain_bytes(model: ModelProto) -> bytes:
    """Serialize a model; that its loaded data is in the file is the default, and left out."""
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
    data: bytes = model.SerializeToString()
    return data


def test_the_bytes_are_protobuf_s_own(tmp_path: Path) -> None:
    whole, empty, data = model_and_data()
    before = empty.SerializeToString()
    onnx_file.write(tmp_path / "model.onnx", empty, data)
    assert (tmp_path / "model.onnx").read_bytes() == whole.SerializeToString()
    assert empty.SerializeToString() == before


def test_data_that_does_not_come_leaves_no_file(tmp_path: Path) -> None:
    _, empty, data = model_and_data()

    def fail() -> bytes:
        raise OSError(28, "No space left on device")

    data[4] = RawData(80_000, fail)
    with pytest.raises(OutputError, match="No space left on device"):
        onnx_file.write(tmp_path / "model.onnx", empty, data)
    assert list(tmp_path.iterdir()) == []


def test_data_beside_a_model_are_named_by_their_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed between two files leaves a model with its own data."""
    monkeypatch.setattr(onnx_file, "_LIMIT", 0)
    _, empty, data = model_and_data()
    path = tmp_path / "m.onnx"
    for _ in range(2):
        onnx_file.write(path, empty, data)
    (first,) = tmp_path.glob("m.onnx.*.data")
    before = first.read_bytes()
    data[4] = RawData(80_000, lambda: bytes(80_000))
    onnx_file.write(path, empty, data)
    assert len(list(tmp_path.glob("m.onnx.*.data"))) == 2
    assert first.read_bytes() == before


def test_a_model_above_protobuf_s_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 GiB are not written here: the limit is lowered."""
    import onnx

    torch.manual_seed(0)
    model, example = nn.Sequential(nn.Linear(100, 70), nn.Linear(70, 30)), torch.randn(2, 100)
    plain, large = tmp_path / "plain.onnx", tmp_path / "large.onnx"
    export(model, [example], plain, OnnxSettings())
    monkeypatch.setattr(onnx_file, "_LIMIT", plain.stat().st_size // 2)
    export(model, [example], large, OnnxSettings())
    (beside,) = tmp_path.glob("large.onnx.*.data")
    assert large.stat().st_size < 3000
    assert beside.stat().st_size == 4 * (100 * 70 + 70 * 30)
    onnx.checker.check_model(large, full_check=True)
    assert plain_bytes(onnx.load(large)) == plain.read_bytes()
    assert (in_onnxruntime(large, example.numpy()) == in_onnxruntime(plain, example.numpy())).all()

    packed = tmp_path / "large.safetensors"
    convert.pack(large, packed)
    assert convert.n_bytes(large) == large.stat().st_size + beside.stat().st_size
    assert plain_bytes(archive.restore(archive.read(packed))) == plain.read_bytes()
    beside.unlink()
    session = load(packed)
    found = session.run({"input": example.numpy()})["output"]
    assert (found == in_onnxruntime(plain, example.numpy())).all()

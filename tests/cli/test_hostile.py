"""Names and numbers of a stranger's, shown and obeyed with care."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compress.artifact import convert
from tests.cli.console import compress

_NAME = "[/x]\n\x1b[2J[red]w"


def _model(path: Path) -> None:
    """Write a network whose weight, outputs and labels have names that a terminal would act on."""
    weight = numpy_helper.from_array(np.eye(8, dtype=np.float32), _NAME)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", _NAME], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 8])],
        [weight],
    )
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    plain, file = tmp_path / "m.onnx", tmp_path / "m.safetensors"
    _model(plain)
    convert.pack(plain, file, {"labels": [_NAME] * 8})
    array = tmp_path / "[red]x[.npy"
    np.save(array, np.eye(8, dtype=np.float32)[:2])
    for command in (("inspect", file), ("predict", file, "--input", array)):
        shown = compress(*command)
        assert shown.code == 0, shown.err
        assert "[/x]??[2J[red]w" in shown.out
        assert "\x1b" not in shown.out


def test_threads_are_bounded(tmp_path: Path) -> None:
    plain = tmp_path / "m.onnx"
    _model(plain)
    words = ("eval", plain, "--task", "digits", "--threads", 10**8)
    assert "threads must be in [1, 1024]" in compress(*words).error()


def test_data_beside_a_model_counts(tmp_path: Path) -> None:
    plain, apart = tmp_path / "m.onnx", tmp_path / "apart.onnx"
    _model(plain)
    onnx.save(
        onnx.load(plain),
        apart,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    beside = (tmp_path / "weights.bin").stat().st_size
    packed = compress("pack", apart, "-o", tmp_path / "p.safetensors", "--json").json()
    assert beside == 8 * 8 * 4
    assert packed["source_bytes"] == apart.stat().st_size + beside


def test_weights_are_no_network(tmp_path: Path) -> None:
    plain = tmp_path / "m.onnx"
    _model(plain)
    model = onnx.load(plain)
    del model.graph.node[:], model.graph.input[:], model.graph.output[:]
    onnx.save(model, plain)
    convert.pack(plain, tmp_path / "w.safetensors")
    said = compress("predict", tmp_path / "w.safetensors", "--input", "x.npy").error()
    assert "holds weights and no network" in said

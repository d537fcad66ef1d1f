"""ONNX files as networks of a run: what their inputs are, and runs of such that have odd ones."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from compress.artifact import facts
from compress.errors import CompressError, DataError, SettingsError
from compress.pipeline.named import named
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.references import resolve
from compress.references.subject import Given, Onnx
from tests import needs
from tests.passes.onnx_graphs import held, model, node, value

INT64 = TensorProto.INT64
ANY = np.iinfo(np.int64).max


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))

    def put(inputs, nodes=None, tensors=(), name="net.onnx"):
        nodes = nodes or [node("Identity", [inputs[0].name], ["y"])]
        path = tmp_path / name
        path.write_bytes(model(nodes, tensors, inputs).SerializeToString())
        return str(path)

    return put


@pytest.mark.parametrize(
    ("inputs", "expected", "batch", "is_alone"),
    [
        ([value("x", "n", 3, 8, 8)], [Given("x", (3, 8, 8))], None, False),
        ([value("x", -1, 3, "h", -1)], [Given("x", (3, 0, 0))], None, False),
        ([value("x", 4, 3)], [Given("x", (3,))], 4, False),
        (
            [value("x", "n", 3), value("z", "m", 2)],
            [Given("x", (3,)), Given("z", (2,))], None, False,
        ),
        ([value("x", 1, 3), value("z", 1, 2)], [Given("x", (3,)), Given("z", (2,))], 1, False),
        (
            [value("x", "n", 3), value("z", 2, "n")],
            [Given("x", (0, 3)), Given("z", (2, 0))], None, True,
        ),
        ([value("x", "n", 3), value("z")], [Given("x", (0, 3)), Given("z", ())], None, True),
        ([value("x", "n", 3, kind=INT64)], [Given("x", (3,), ANY)], None, False),
    ],
)  # fmt: skip
def test_inputs(inputs, expected, batch, is_alone, write):
    subject = resolve(write(inputs))
    assert isinstance(subject.source, Onnx)
    assert (subject.name, list(subject.inputs)) == ("net", expected)
    assert (subject.batch, subject.is_alone) == (batch, is_alone)


def test_how_many_tokens_there_are_is_told_by_the_tables(write):
    nodes = [
        node("Constant", [], ["kinds"], value=held("", 2, 4)),
        node("Unsqueeze", ["ids", "axis"], ["wide"]),
        node("Cast", ["wide"], ["narrow"], to=TensorProto.INT32),
        node("Gather", ["words", "narrow"], ["a"]),
        node("Gather", ["kinds", "type"], ["b"]),
        node("Identity", ["a"], ["y"]),
    ]
    inputs = [value(name, "n", "m", kind=INT64) for name in ("ids", "type", "mask")]
    found = resolve(write(inputs, nodes, [held("words", 30, 4)])).inputs
    assert [given.below for given in found] == [30, 2, ANY]


def test_sizes_that_are_open_can_be_said(write):
    path = write([value("x", "n", 3, "h", "w"), value("i", "n", "m", kind=INT64)])
    subject = resolve(path, inputs="3x24x24,7:50")
    assert list(subject.inputs) == [Given("x", (3, 24, 24)), Given("i", (7,), 50)]
    with pytest.raises(SettingsError, match=r"input x of net\.onnx has shape"):
        resolve(path, inputs="1x24x24,7:50")
    with pytest.raises(SettingsError, match="a shape for each of x, i, got 1"):
        resolve(path, inputs="3x24x24")


def test_what_the_file_tells_of_images(write, tmp_path):
    proto = model([node("Identity", ["x"], ["y"])])
    told = {"preprocessing": {"mean": [0.5]}}
    proto.metadata_props.add(key=facts.KEY, value=facts.to_text(told))
    path = tmp_path / "mine.onnx"
    path.write_bytes(proto.SerializeToString())
    assert resolve(str(path)).preprocessing == told["preprocessing"]


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff"])
def test_what_is_no_model(data, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(DataError, match="not a readable ONNX model"):
        resolve(str(path))
    with pytest.raises(CompressError, match="is not a file"):
        resolve(str(tmp_path / "none.onnx"))


def recurrent(write):
    """Return a file whose state has its batch behind, and which takes a number, too."""
    nodes = [
        node("ReduceSum", ["state", "one"], ["s"], keepdims=0),
        node("MatMul", ["s", "w"], ["m"]),
        node("Mul", ["m", "rate"], ["p"]),
        node("Add", ["p", "x"], ["y"]),
    ]
    one = helper.make_tensor("one", INT64, [1], [0])
    inputs = [value("x", "n", 5), value("state", 2, "n", 16), value("rate")]
    return write(inputs, nodes, [held("w", 16, 5), one])


def test_a_run_on_samples_without_an_axis_of_their_own(write, tmp_path):
    drawn = np.random.default_rng(0)
    np.savez(
        tmp_path / "samples.npz",
        x=drawn.random((60, 1, 5)),
        state=drawn.random((60, 2, 1, 16)),
        rate=drawn.random(60),
    )
    recipe = from_mapping(
        {"model": recurrent(write), "quantize": "3", "calibration": str(tmp_path / "samples.npz")}
    )
    subject, task = named(recipe)
    report = run(recipe, subject, tmp_path / "run", task=task)
    assert report.parity.within
    assert {layer.name: layer.distinct for layer in report.layers}["w"] <= 8


def test_a_network_that_made_up_inputs_do_not_fit(write, tmp_path):
    """A mirror of 40 numbers needs more than the 32 that are made up."""
    needs.module("torch")  # ONNX Runtimes of older Pythons take it
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("Pad", ["h", "pads"], ["y"], mode="reflect"),
    ]
    pads = helper.make_tensor("pads", INT64, [6], [0, 90, 0, 0, 0, 0])
    path = write([value("x", "n", "m", 8)], nodes, [held("w", 8, 8), pads])
    for given, fits in ((None, False), ("100x8", True)):
        recipe = from_mapping({"model": path, "prune": 0.5, "input": given})
        subject, _ = named(recipe)
        if fits:
            assert run(recipe, subject, tmp_path / "other").parity.within
            continue
        with pytest.raises(DataError, match="--input says sizes that the file leaves open"):
            run(recipe, subject, tmp_path / "run")

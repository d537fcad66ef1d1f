"""`compress predict`: classes as the network says them, and arrays that do not fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from compress.artifact import convert
from tests.cli.console import compress

NAMES = ("ant", "bee", "cow")


def network(
    path: Path,
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[TensorProto] = (),
) -> Path:
    """Write a network of one input, x."""
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "g", taken, outputs, weights)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def classifier(path: Path, *, strings: bool, mapped: bool) -> Path:
    """Write a linear classifier as skl2onnx does; its class is the place of the largest input."""
    classes = {"classlabels_strings": NAMES} if strings else {"classlabels_ints": [7, 8, 9]}
    kind = "classlabels_strings" if strings else "classlabels_int64s"
    scores = "scores" if mapped else "probabilities"
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["label", scores], domain="ai.onnx.ml",
            coefficients=np.eye(3, dtype=np.float32).ravel().tolist(), intercepts=[0.0] * 3,
            post_transform="NONE", **classes,
        )
    ]  # fmt: skip
    label = TensorProto.STRING if strings else TensorProto.INT64
    shown = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])
    if mapped:
        names = {kind: next(iter(classes.values()))}
        nodes.append(
            helper.make_node("ZipMap", [scores], ["probabilities"], domain="ai.onnx.ml", **names)
        )
        value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        mapping = helper.make_map_type_proto(label, value)
        shown = helper.make_value_info("probabilities", helper.make_sequence_type_proto(mapping))
    told = helper.make_tensor_value_info("label", label, ["n"])
    return network(path, nodes, ["n", 3], [told, shown])


def rows(file: Path, array: np.ndarray[Any, Any], folder: Path) -> list[dict[str, Any]]:
    """Return what predict tells of an array."""
    np.save(folder / "x.npy", array)
    found = compress("predict", file, "--input", folder / "x.npy", "--json").json()["rows"]
    assert isinstance(found, list)
    return found


def told(file: Path, array: np.ndarray[Any, Any], folder: Path) -> str:
    """Return the one line of what predict refuses."""
    np.save(folder / "x.npy", array)
    return compress("predict", file, "--input", folder / "x.npy").error()


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("strings", [True, False])
def test_labels_beside_scores(tmp_path: Path, strings: bool, mapped: bool) -> None:
    file = classifier(tmp_path / "c.onnx", strings=strings, mapped=mapped)
    inputs = np.float32([[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
    best = [row["top"][0] for row in rows(file, inputs, tmp_path)]
    assert [one["class"] for one in best] == (["bee", "cow"] if strings else [8, 9])
    assert [one["label"] for one in best] == (["bee", "cow"] if strings else [None, None])
    scores = [one["score"] for one in best]
    assert scores == (pytest.approx([0.7, 0.6]) if mapped else [None, None])
    lines = compress("predict", file, "--input", tmp_path / "x.npy").out.splitlines()
    assert [line.split()[2] for line in lines[-2:]] == [str(one["class"]) for one in best]


def test_iris_as_onnxruntime_ships_it(tmp_path: Path) -> None:
    file = Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx"
    found = rows(file, np.float32([[0, 0], [5, 1], [2, 9]]), tmp_path)
    session = onnxruntime.InferenceSession(file)
    labels, scores = session.run(None, {session.get_inputs()[0].name: np.load(tmp_path / "x.npy")})
    assert [row["top"][0]["class"] for row in found] == labels.tolist()
    ranked = sorted(scores[0].items(), key=lambda entry: -entry[1])
    assert [(one["class"], one["score"]) for one in found[0]["top"]] == ranked


def _identity(path: Path, shape: Sequence[int | str]) -> Path:
    shown = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    return network(path, [helper.make_node("Identity", ["x"], ["y"])], shape, [shown])


def test_names_of_other_classes_are_no_labels(tmp_path: Path) -> None:
    plain, file = _identity(tmp_path / "m.onnx", ["n", 3]), tmp_path / "m.safetensors"
    inputs = np.float32([[0, 5, 1]])
    for names, label in ((NAMES, "bee"), (NAMES[:2], None)):
        convert.pack(plain, file, {"labels": list(names)})
        assert rows(file, inputs, tmp_path)[0]["top"][0]["label"] == label


def test_equal_scores_and_a_value(tmp_path: Path) -> None:
    file = _identity(tmp_path / "m.onnx", ["n", 3])
    top = rows(file, np.float32([[1, 2, 2]]), tmp_path)[0]["top"]
    assert [one["class"] for one in top] == [1, 2, 0]
    value = _identity(tmp_path / "v.onnx", ["n", 1])
    assert rows(value, np.float32([[2.5]]), tmp_path)[0]["top"] == [
        {"class": None, "label": None, "score": 2.5}
    ]


def test_outputs_that_are_not_finite(tmp_path: Path) -> None:
    file, path = _identity(tmp_path / "m.onnx", ["n", 3]), tmp_path / "x.npy"
    np.save(path, np.float32([[0, 1, 0], [0, np.nan, 1]]))
    for words in ((), ("--json",)):
        done = compress("predict", file, "--input", path, *words)
        assert done.code == 1
        assert done.err == (
            "compress: the network's outputs are not finite for 1 of 2 inputs, so they have no "
            f"class; the first is {path}, row 1\n"
        )
        if words:
            assert [len(row["top"]) for row in json.loads(done.out)["rows"]] == [3, 0]
        else:
            assert done.out.splitlines()[-1].endswith("not finite")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 4, 5), "has shape (3, 4, 5), and the network takes (n, 3, 4, 5); it lacks the batch"),
        ((2, 4, 5, 3), "its channels come last: save numpy.moveaxis(array, -1, 1)"),
        ((2, 3, 4, 6), "has shape (2, 3, 4, 6), and the network takes (n, 3, 4, 5)"),
        ((60,), "has shape (60,), and the network takes (n, 3, 4, 5)"),
        ((0, 3, 4, 5), "it holds no samples"),
        ((), "it holds no samples"),
    ],
)
def test_arrays_of_another_shape(tmp_path: Path, shape: tuple[int, ...], said: str) -> None:
    file = _identity(tmp_path / "m.onnx", ["n", 3, 4, 5])
    assert said in told(file, np.zeros(shape, np.float32), tmp_path)


def test_channels_that_come_first(tmp_path: Path) -> None:
    file = _identity(tmp_path / "m.onnx", ["n", 4, 5, 3])
    said = told(file, np.zeros((2, 3, 4, 5), np.float32), tmp_path)
    assert said.endswith("its channels come first: save numpy.moveaxis(array, 1, -1)")


def test_outputs_that_tell_no_class(tmp_path: Path) -> None:
    file = _identity(tmp_path / "m.onnx", ["n", 3, 4, 5])
    said = told(file, np.zeros((2, 3, 4, 5), np.float32), tmp_path)
    assert "is not told by its outputs (y (2, 3, 4, 5)); run it from Python" in said


def test_a_network_of_two_inputs(tmp_path: Path) -> None:
    path = _identity(tmp_path / "m.onnx", ["n", 3])
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3]))
    onnx.save(model, path)
    said = told(path, np.zeros((2, 3), np.float32), tmp_path)
    assert said.startswith("predict gives a network one input, and this one takes 2 (x, z)")


def test_a_network_of_a_fixed_batch(tmp_path: Path) -> None:
    file = _identity(tmp_path / "m.onnx", [2, 4])
    inputs = np.eye(4, dtype=np.float32)[[3, 0, 2]]
    found = rows(file, inputs, tmp_path)
    assert [row["top"][0]["class"] for row in found] == [3, 0, 2]


def test_weights_that_stand_among_the_inputs_are_none(tmp_path: Path) -> None:
    """Older exporters list each weight as an input, too."""
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")
    shown = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = network(tmp_path / "m.onnx", nodes, ["n", 3], [shown], [weight])
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 3]))
    onnx.save(model, path)
    assert rows(path, np.float32([[0, 0, 1]]), tmp_path)[0]["top"][0]["class"] == 2

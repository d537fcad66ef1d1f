"""A run on an ONNX file, without torch: the graph stays as it is but for its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper, save_model

from compress.artifact import archive, convert
from compress.artifact.onnx_file import data_beside
from compress.errors import DataError, SettingsError, UnsupportedLayerError
from compress.pipeline.onnx_working import OnnxWorking
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.references.subject import Onnx, Subject
from compress.runtime import load
from compress.tasks import Arrays
from compress.tasks import calibration as calibrations
from tests.passes.onnx_graphs import held, model, node, value

RNG = np.random.default_rng(0)
X = RNG.normal(0, 1, (90, 3, 8, 8)).astype(np.float32)


@dataclass(frozen=True)
class Taken:
    name: str
    shape: tuple[int, ...]
    below: int | None = None


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))


def classifier():
    """Return a network of 4 classes."""
    nodes = [
        node("Conv", ["x", "a.weight", "a.bias"], ["h1"], name="a"),
        node("Relu", ["h1"], ["h2"]),
        node("Flatten", ["h2"], ["h3"]),
        node("Gemm", ["h3", "f.weight", "f.bias"], ["y"], name="f"),
    ]
    shapes = {"a.weight": (8, 3, 3, 3), "a.bias": (8,), "f.weight": (288, 4), "f.bias": (4,)}
    return model(nodes, [held(name, *shape) for name, shape in shapes.items()])


@pytest.fixture
def subject(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(classifier().SerializeToString())
    return subject_of(path)


def subject_of(path):
    return Subject(name="net", source=Onnx(path=path), inputs=(Taken("x", (3, 8, 8)),))


def task(subject):
    """Return a task whose labels the network itself gives."""
    (scores,) = working(subject).run([X])
    labels = scores.argmax(1)
    return Arrays(train=(X[:30], labels[:30]), test=(X[30:], labels[30:]), classes=tuple("abcd"))


def recipe(**settings):
    return from_mapping({"model": "net.onnx", "prune": 0.3, "quantize": "6bit", **settings})


def working(subject, **settings):
    return OnnxWorking.open(subject, recipe(**settings), None)


def test_the_graph_stays_and_the_file_is_smaller(subject, tmp_path):
    out = tmp_path / "run"
    report = run(recipe(), subject, out)
    source = subject.source.path
    before, after = (ModelProto.FromString(p.read_bytes()) for p in (source, out / "net.onnx"))
    changed = [
        one.name
        for one, other in zip(before.graph.initializer, after.graph.initializer, strict=True)
        if one != other
    ]
    assert {"a.weight", "f.weight"} <= set(changed)
    assert len(source.read_bytes()) == len((out / "net.onnx").read_bytes())
    assert report.artifact_bytes < source.stat().st_size / 3
    assert report.parity.max_rel < 1e-5
    assert report.params == 8 * 27 + 8 + 288 * 4 + 4
    assert report.dense_bytes == 4 * report.params
    layers = {layer.name: layer for layer in report.layers}
    assert (layers["a.weight"].kind, layers["f.weight"].kind) == ("conv", "fc")
    zeros = sum(layers[name].weights - layers[name].nonzero for name in ("a.weight", "f.weight"))
    assert zeros == pytest.approx(0.3 * (8 * 27 + 288 * 4), rel=0.02)
    assert (
        convert.unpack(out / "net.safetensors", tmp_path / "back.onnx").read_bytes()
        == (out / "net.onnx").read_bytes()
    )


def test_a_task_measures_and_gives_samples_and_nothing_is_trained(subject, tmp_path):
    report = run(recipe(), subject, tmp_path / "run", task=task(subject))
    assert report.accuracy.dense == 1
    assert report.accuracy.compressed > 0.8
    metadata = load(tmp_path / "run" / "net.safetensors").metadata
    assert metadata["labels"] == list("abcd")
    with pytest.raises(SettingsError, match="epochs must be left out: net is a file"):
        run(recipe(epochs=2, task="mine"), subject, tmp_path / "other", task=task(subject))


def test_samples_are_enough_for_errors_that_cancel(subject, tmp_path):
    x = X[:60]
    samples = calibrations.of_arrays([x], subject.takes)
    (before,) = working(subject).run([X])
    lost = []
    for settings in ({"samples": 0}, {"samples": 48}):
        chosen = recipe(quantize={"bits": "3", **settings}, prune=None)
        out = tmp_path / str(settings["samples"])
        run(chosen, subject, out, calibration=samples)
        (after,) = load(out / "net.safetensors").run({"x": X}).values()
        lost.append(float(np.square(after - before).sum()))
    assert lost[1] < lost[0]


def test_to_a_size(subject, tmp_path):
    chosen = from_mapping({"model": "net.onnx", "target_bytes": 2000})
    report = run(chosen, subject, tmp_path / "run")
    assert 1000 < report.artifact_bytes <= 2000


def test_what_a_stage_left_is_taken_over(subject, tmp_path):
    first = run(recipe(), subject, tmp_path / "one")
    again = run(recipe(), subject, tmp_path / "two")
    assert first.files["net.safetensors"] == again.files["net.safetensors"]
    assert again.stages[1].seconds == first.stages[1].seconds  # kept, and not done again


def test_a_state_of_another_network_is_refused(subject, tmp_path):
    own = working(subject)
    other = own.network.weights()[0][0]
    other.set_values(other.values() * 2)
    state = own.state()
    fresh = working(subject)
    fresh.restore(state)
    assert fresh.network.model.data() == own.network.model.data()
    path = tmp_path / "other.onnx"
    path.write_bytes(
        model([node("MatMul", ["x", "w"], ["y"])], [held("w", 8, 2)]).SerializeToString()
    )
    for damaged in (state, b"", state[:-1]):
        with pytest.raises(DataError, match="the stored weights cannot be read"):
            working(subject_of(path)).restore(damaged)


def test_data_beside_the_file(tmp_path):
    path = tmp_path / "net.onnx"
    save_model(classifier(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    out = tmp_path / "run"
    report = run(recipe(), subject_of(path), out)
    (beside,) = data_beside(out / "net.onnx")
    assert report.files.keys() == {"net.safetensors", "net.onnx", beside.name, "recipe.yaml"}
    assert archive.read(out / "net.safetensors").assembly is not None


def test_several_inputs_and_outputs(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("Add", ["h", "z"], ["y"]),
        node("Shape", ["h"], ["n"]),
    ]
    proto = model(
        nodes,
        [held("w", 6, 4)],
        [value("x", "n", 6), value("z", "n", 4)],
        [helper.make_empty_tensor_value_info(name) for name in ("y", "n")],
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    both = Subject(name="net", source=Onnx(path=path), inputs=(Taken("x", (6,)), Taken("z", (4,))))
    assert run(recipe(), both, tmp_path / "run").parity.within
    with pytest.raises(DataError, match="takes 2 inputs, got 1"):
        working(both).run([np.ones((2, 6), np.float32)])


def test_outputs_that_are_no_tensors_are_told(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("SequenceConstruct", ["h", "h"], ["y"])]
    zero = numpy_helper.from_array(np.int64(0), "zero")
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, [held("w", 8, 4), zero]).SerializeToString())
    with pytest.raises(UnsupportedLayerError, match="gives 'y', which is no tensor"):
        run(recipe(), subject_of(path), tmp_path / "run")


def test_it_is_not_trained(subject):
    with pytest.raises(SettingsError, match="is an ONNX file, which is not trained"):
        working(subject).fit(None, checkpoint=None, on_step=None, progress=None)

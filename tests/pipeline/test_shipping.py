"""N:M in what ships: it is looked for in the exported graph, and told where it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress.passes.chosen import all_of
from compress.passes.context import Context, Layer, Passed
from compress.passes.network import Network
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.references.subject import Onnx, Subject
from tests.export.networks import initializers
from tests.passes.onnx_graphs import held, model, node, value
from tests.pipeline import courses
from tests.pipeline.courses import CountedSettings, Given, row, subject


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))


def of_torch(_: Path) -> Subject:
    return subject()


def of_onnx(folder: Path) -> Subject:
    """Return an ONNX file that stores its weights as (in, out)."""
    nodes = [
        node("MatMul", ["x", "first.weight"], ["h"]), node("Relu", ["h"], ["r"]),
        node("MatMul", ["r", "last.weight"], ["y"]),
    ]  # fmt: skip
    weights = [held("first.weight", 16, 8), held("last.weight", 8, 2)]
    path = folder / "net.onnx"
    proto = model(nodes, weights, inputs=[value("x", "n", 16)], outputs=[value("y", "n", 2)])
    path.write_bytes(proto.SerializeToString())
    return Subject(name="net", source=Onnx(path=path), inputs=(Given("x", (16,)),))


def patterns(report: Any) -> dict[str, str]:
    return {layer.name: layer.pattern for layer in report.layers if layer.pattern is not None}


def recipe(source: Subject, **passes: Any) -> Any:
    weights = None if isinstance(source.source, Onnx) else "random"
    return from_mapping({"model": "net", "weights": weights, **passes})


@pytest.mark.parametrize("make", [of_torch, of_onnx])
def test_it_is_found_in_the_exported_graph(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make(tmp_path)
    report = run(recipe(source, prune="first.weight=2:4,last.weight=1:8"), source, tmp_path / "run")
    assert patterns(report) == {"first.weight": "2:4", "last.weight": "1:8"}
    assert not any("N:M" in said for said in caplog.messages)
    stored = initializers(tmp_path / "run" / "net.onnx")
    assert [np.count_nonzero(stored[name]) for name in patterns(report)] == [8 * 8, 2]


def test_a_stage_that_is_taken_over_says_the_same(tmp_path: Path) -> None:
    source = of_onnx(tmp_path)
    settings = recipe(source, prune="2:4", quantize="3bit")
    first, again = (run(settings, source, tmp_path / name) for name in ("one", "two"))
    assert first.files["net.safetensors"] == again.files["net.safetensors"]
    assert patterns(first) == patterns(again) == {"first.weight": "2:4", "last.weight": "2:4"}


def claims(network: Network, _: CountedSettings, __: Context) -> Passed:
    """Set the first weight to 2:4 along its outputs, and say that both have it."""
    weights, skipped = all_of(network)
    values = weights[0].values().reshape(weights[0].shape).copy()
    values[::2] = 0
    weights[0].set_values(values.reshape(-1))
    layers = (Layer(w.name, w.kind, w.shape, w.values().size, 0, pattern="2:4") for w in weights)
    return Passed(layers=tuple(layers), skipped=tuple(skipped))


@pytest.mark.parametrize("make", [of_torch, of_onnx])
def test_where_it_is_not_found_the_run_says_so(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    courses.with_rows(monkeypatch, row(run=f"{__name__}:claims"))
    source = make(tmp_path)
    report = run(recipe(source, counted=3), source, tmp_path / "run")
    assert patterns(report) == {}
    assert [said for said in caplog.messages if "N:M" in said] == [
        "the exported graph is not seen to have N:M in 2 of 2 layers: "
        "the report names those that have it"
    ]

"""A run from end to end: its files, its report, and what each setting does."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from compress_zoo import registry
from safetensors.torch import load_file, save_file
from torch import nn

from compress.artifact import archive
from compress.constrained import constraints_of
from compress.errors import DataError, SettingsError
from compress.measure.size import paper_bytes
from compress.pipeline.run import run
from compress.pipeline.torch_working import TorchWorking
from compress.recipe import from_mapping
from compress.references.subject import Given, Subject, Torch
from compress.report.data import Report
from tests.cli.console import compress
from tests.cli.runs import file_of_run, small_run
from tests.export.networks import Words, initializers

NAME = "lenet-300-100"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return small_run()[1].json()


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(small_run()[0].parent / "cache"))


def test_all_files_are_there() -> None:
    folder, done = small_run()
    names = {path.name for path in folder.iterdir()}
    assert names == {
        f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml", "report.json", "report.html",
    }  # fmt: skip
    assert done.out == (folder / "report.json").read_text()


def test_the_report_has_every_field(report: dict[str, Any]) -> None:
    assert report.keys() >= {
        "model", "task", "seed", "recipe", "versions", "device", "params", "dense_bytes",
        "artifact_bytes", "ratio", "paper_bytes", "paper_ratio", "ledger", "accuracy", "parity",
        "stages", "layers",
    }  # fmt: skip
    assert report["ledger"].keys() == {
        "codes", "gaps", "codebooks", "tables", "dense", "graph", "header", "files",
    }  # fmt: skip
    assert report["accuracy"].keys() >= {"metric", "dense", "compressed", "reason"}
    assert report["parity"].keys() >= {"max_abs", "max_rel"}
    for stage in report["stages"]:
        assert stage.keys() >= {"name", "seconds", "peak_rss_bytes"}
    for layer in report["layers"]:
        assert layer.keys() >= {
            "name", "shape", "weights", "nonzero", "distinct", "bits_per_weight", "bytes",
        }  # fmt: skip
    assert Report.from_json(json.dumps(report)).model == NAME


def test_the_report_s_numbers_are_those_of_the_files(report: dict[str, Any]) -> None:
    file = file_of_run()
    found = archive.read(file)
    assert report["artifact_bytes"] == file.stat().st_size == sum(report["ledger"].values())
    assert report["params"] == 266_610
    assert report["dense_bytes"] == 4 * 266_610
    assert report["ratio"] == report["dense_bytes"] / report["artifact_bytes"]
    assert report["paper_bytes"] == paper_bytes(found) < report["artifact_bytes"]
    assert report["paper_ratio"] == report["dense_bytes"] / report["paper_bytes"]
    assert report["model"] == NAME == found.container.metadata["model"]
    assert (report["task"], report["seed"], report["device"]) == ("digits", 0, "cpu")
    assert {"torch", "onnx", "onnxruntime", "numpy"} <= report["versions"].keys()
    assert 0.8 < report["accuracy"]["dense"] <= 1
    assert 0.8 < report["accuracy"]["compressed"] <= 1
    assert report["accuracy"]["reason"] is None
    assert report["accuracy"]["n"] == 357
    assert report["parity"]["max_rel"] <= 1e-4
    names = [stage["name"] for stage in report["stages"]]
    assert names == ["dense", "prune", "quantize", "export", "pack", "check"]
    measured = [step["stage"] for step in report["accuracy"]["steps"]]
    assert measured == ["dense", "prune", "quantize"]
    assert all(stage["seconds"] >= 0 for stage in report["stages"])
    assert all(stage["peak_rss_bytes"] > 1 << 20 for stage in report["stages"])


def test_layers_are_pruned_and_shared(report: dict[str, Any]) -> None:
    weights = {row["name"]: row for row in report["layers"] if len(row["shape"]) == 2}
    assert weights.keys() == {"ip1.weight", "ip2.weight", "ip3.weight"}
    total = sum(row["weights"] for row in weights.values())
    left = sum(row["nonzero"] for row in weights.values())
    assert left / total == pytest.approx(0.1, abs=1e-3)
    held = initializers(small_run()[0] / f"{NAME}.onnx")
    for name, row in weights.items():
        values = held[name]
        assert not np.signbit(values[values == 0]).any()
        nonzero = values[values != 0]
        assert nonzero.size == row["nonzero"]
        assert len(np.unique(nonzero)) == row["distinct"] <= 16
        assert row["bits_per_weight"] == 8 * row["bytes"] / row["weights"]


def test_the_recipe_repeats_the_run(tmp_path: Path) -> None:
    folder, _ = small_run()
    again = tmp_path / "again"
    assert compress("run", "--recipe", folder / "recipe.yaml", "--out", again).code == 0
    for name in (f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def random_run(tmp_path: Path, *words: object) -> dict[str, Any]:
    return compress("run", "--model", NAME, *words, "--out", tmp_path / "run", "--json").json()


def test_without_data_there_is_no_accuracy_but_a_reason(tmp_path: Path) -> None:
    report = random_run(tmp_path, "--weights", "random", "--prune", "0.5")
    accuracy = report["accuracy"]
    assert (accuracy["dense"], accuracy["compressed"]) == (None, None)
    assert (
        accuracy["reason"]
        == "no task was given: name one with --task, or measure the file with compress eval"
    )
    assert report["task"] is None
    assert report["parity"]["max_rel"] <= 1e-4


def test_zero_epochs_train_nothing_and_a_file_gives_the_weights(tmp_path: Path) -> None:
    torch.manual_seed(7)
    model = registry.get(NAME).build()
    save_file(model.state_dict(), tmp_path / "mine.safetensors")
    recipe = tmp_path / "alone.yaml"
    recipe.write_text(f"{{model: {NAME}, prune: {{sparsity: fc=0.75, samples: 0}}}}")
    words = ["--weights", tmp_path / "mine.safetensors", "--task", "digits", "--epochs", "0"]
    report = random_run(tmp_path, *words, "--recipe", recipe)
    held = initializers(tmp_path / "run" / f"{NAME}.onnx")
    for name, before in load_file(tmp_path / "mine.safetensors").items():
        after = held[name]
        kept = after != 0
        assert (after[kept] == before.numpy()[kept]).all()
        if before.ndim == 2:
            assert np.abs(before.numpy()[~kept]).max() <= np.abs(after[kept]).min()
            assert kept.mean() == pytest.approx(0.25, abs=0.01)
    assert report["accuracy"]["steps"][-1]["stage"] == "prune"


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "has no published weights; give --task to train it on, or --weights random|FILE"),
        ({"weights": "trained"}, "weights must be trained on a task; give --task"),
        ({"weights": "pretrained"}, "has no published weights; use --weights random|FILE"),
        (
            {"weights": "missing.safetensors"},
            "weights missing.safetensors is not a file; the names",
        ),
    ],
)
def test_weights_that_are_not_there(mapping: dict[str, Any], said: str, tmp_path: Path) -> None:
    recipe = {"model": NAME} | mapping
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    assert said in compress("run", "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "o").error()


def tied(name: str = "words") -> Subject:
    """An embedding whose weight is the output layer's too, on numbers that stand for words."""

    class Numbers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = Words(tied=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            held: torch.Tensor = self.words((x.abs() * 10).long().clamp(max=39))
            return held

    return Subject(
        name=name, source=Torch(build=lambda _: Numbers()), inputs=(Given("input", (6,)),)
    )


def built(seed: int) -> nn.Module:
    recipe = from_mapping({"model": "words", "weights": "random", "seed": seed})
    return TorchWorking.build(tied(), recipe, None).model


def test_tied_weights_count_once(tmp_path: Path) -> None:
    recipe = from_mapping({"model": "words", "weights": "random", "prune": 0.5, "quantize": "3bit"})
    report = run(recipe, tied(), tmp_path)
    assert report.params == 40 * 32 + 40
    assert report.dense_bytes == 4 * report.params
    (layer,) = [layer for layer in report.layers if len(layer.shape) == 2]
    assert (layer.weights, layer.nonzero, layer.distinct) == (40 * 32, 40 * 16, 8)
    assert report.parity.max_rel <= 1e-5


def test_weights_that_are_not_finite_are_told(tmp_path: Path) -> None:
    model = built(0)
    state = {name: held.clone() for name, held in model.state_dict().items()}
    for held in state.values():
        held.view(-1)[0] = math.nan
    del state["words.out.weight"]
    save_file(state, tmp_path / "nan.safetensors")
    recipe = from_mapping({"model": "words", "weights": str(tmp_path / "nan.safetensors")})
    with pytest.raises(DataError, match="must be finite"):
        run(recipe, tied(), tmp_path / "out")


def trained() -> Path:
    """Return the state of the dense network that the shared run has trained and kept."""
    folder = small_run()[0].parent / "cache" / "stages"
    kept = [path for path in folder.glob("*.safetensors") if is_trained(path)]
    assert len(kept) == 1
    return kept[0]


def is_trained(state: Path) -> bool:
    record: dict[str, Any] = json.loads(state.with_suffix(".json").read_text())["record"]
    return record.keys() == {"state_sha256"}


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_baseline_is_trained_anew(
    damage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path))
    shutil.copytree(trained().parent, tmp_path / "stages")
    state = tmp_path / "stages" / trained().name
    whole = state.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    state.write_bytes(whole[:1000] if damage == "cut" else bytes(flipped))
    recipe = small_run()[0].parent / "recipe.yaml"
    assert compress("run", "--recipe", recipe, "--out", tmp_path / "run", "--json").code == 0
    assert f"a stage is done anew: {state} is damaged" in caplog.messages
    assert state.read_bytes() == whole
    file = tmp_path / "run" / f"{NAME}.safetensors"
    assert file.read_bytes() == file_of_run().read_bytes()


def test_where_no_cache_can_be_written_stages_are_kept_beside_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", "/proc/nowhere")
    recipe = small_run()[0].parent / "recipe.yaml"
    assert compress("run", "--recipe", recipe, "--out", tmp_path / "run").code == 0
    (told,) = [said for said in caplog.messages if "cannot write /proc/nowhere/stages/" in said]
    assert "(or set $COMPRESS_CACHE); this run keeps its stages beside its results" in told
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        path.name for path in small_run()[0].iterdir()
    }
    file = tmp_path / "run" / f"{NAME}.safetensors"
    assert file.read_bytes() == file_of_run().read_bytes()


def test_seeds_decide_the_random_weights() -> None:
    first, again, other = (built(seed) for seed in (1, 1, 2))
    state = torch.random.get_rng_state()
    built(5)
    assert torch.equal(state, torch.random.get_rng_state())
    pairs = zip(first.parameters(), again.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) and not torch.equal(a, c) for a, b, c in pairs)
    assert not constraints_of(first).by_name


def test_cuda_where_there_is_none(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device: hide it with CUDA_VISIBLE_DEVICES=")
    recipe = from_mapping({"model": "words", "weights": "random", "device": "cuda"})
    with pytest.raises(SettingsError, match="cuda is not available here; use --device cpu"):
        run(recipe, tied(), tmp_path)

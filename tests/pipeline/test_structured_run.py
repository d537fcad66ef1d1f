"""Structured pruning as a stage: kept, rebuilt from its plan, and shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.errors import SettingsError
from compress.passes import structured
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.report.data import Report
from tests.pipeline.courses import recipe, subject, task

STRUCTURED = {"macs_removed": 0.3, "round_to": 1}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))


def carried_out(out: Path, **changes: object) -> Report:
    given = recipe(structured=STRUCTURED, prune={"sparsity": 0.5}, **changes)
    return run(given, subject(), out, task=task())


def test_a_run_that_takes_it_over_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = carried_out(tmp_path / "first", quantize=3)
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "other"))
    carried_out(tmp_path / "before", quantize=4)

    def again(*_: object) -> None:
        raise AssertionError("what is kept is taken over")

    monkeypatch.setattr(structured, "structured", again)
    second = carried_out(tmp_path / "second", quantize=3)
    assert second.files == first.files


def test_the_report_is_of_the_smaller_network(tmp_path: Path) -> None:
    report = carried_out(tmp_path)
    stages = {stage.name: stage for stage in report.stages}
    assert list(stages) == ["dense", "structured", "prune", "export", "pack", "check"]
    (first,) = report.layers
    left = first.shape[0]
    assert left < 8
    assert stages["structured"].figures == {
        "macs_dense": 8 * 18, "macs": left * 18,
        "params_dense": 8 * 17 + 2 * 9, "params": left * 17 + 2 * (left + 1),
    }  # fmt: skip
    assert stages["structured"].size_bytes is not None
    assert stages["structured"].size_bytes < report.dense_bytes
    assert report.parity.within
    assert {one.name for one in report.histograms} == {"first.weight", "last.weight"}


def test_random_weights_need_no_samples(tmp_path: Path) -> None:
    given = from_mapping({"model": "net", "weights": "random", "structured": STRUCTURED})
    report = run(given, subject(), tmp_path)
    assert report.parity.within


def test_it_comes_before_what_masks(tmp_path: Path) -> None:
    given = from_mapping(
        {"model": "net", "weights": "random", "prune": 0.5, "structured": STRUCTURED}
        | {"steps": ["prune", "structured"]}
    )
    with pytest.raises(SettingsError, match=r"structured must come before first\.weight is pruned"):
        run(given, subject(), tmp_path)

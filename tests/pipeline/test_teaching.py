"""A run whose trainings are taught: by the dense network, or by another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import compress
from compress.errors import CompressError
from compress.pipeline.torch_working import TorchWorking

SETTINGS: dict[str, Any] = {"model": "lenet-300-100", "task": "digits", "prune": 0.9, "epochs": 1}
ONE = {"epochs": 1}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))


def run(out: Path, **settings: Any) -> Any:
    return compress.run({**SETTINGS, "dense": ONE, **settings}, out)


def test_a_teacher_decides_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {}
    for name, settings in {
        "alone": {},
        "dense": {"distill": "dense"},
        "hotter": {"distill": {"teacher": "dense", "temperature": 20}},
    }.items():
        report = run(tmp_path / name, **settings)
        files[name] = report.files["lenet-300-100.safetensors"]
    assert len({*files.values()}) == 3
    monkeypatch.setattr(TorchWorking, "fit", None)  # all is kept by now
    again = run(tmp_path / "again", distill="dense")
    assert again.files["lenet-300-100.safetensors"] == files["dense"]


def test_another_network_is_a_stage_with_its_own_figures(tmp_path: Path) -> None:
    distilled = {"teacher": "lenet-5", "weights": "random"}
    report = run(tmp_path, distill=distilled)
    assert [stage.name for stage in report.stages][:4] == ["dense", "teacher", "distill", "prune"]
    figures = {step.stage: step.value for step in report.accuracy.steps}
    assert {"dense", "teacher", "distill", "prune"} <= figures.keys()
    assert report.used["distill"]["train"]["epochs"] == 1
    again = compress.run(SETTINGS | {"dense": ONE, "distill": distilled}, tmp_path, resume=True)
    assert again == report


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "distill must be left out where nothing is trained, got 'dense'"),
        ({"distill": "nosuch"}, "nosuch"),
        ({"distill": "resnet20"}, "takes task digits in another form"),
    ],
)
def test_what_cannot_teach_is_told(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(CompressError, match=said):
        run(tmp_path, **({"distill": "dense", "weights": "random"} | changes))

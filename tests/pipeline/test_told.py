"""What a run says before it begins, where it neither trains nor has samples of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.pipeline import courses
from tests.pipeline.courses import Net, recipe, row, rows, subject, task

EXPECTED = "no samples of the data, and no training: errors are countered on made-up ones"


def trained(folder: Path) -> str:
    """Return a file of weights that are worth keeping."""
    path = folder / "weights.safetensors"
    save_file(Net().state_dict(), path)
    return str(path)


@pytest.mark.parametrize(
    ("told", "data", "settings"),
    [
        (True, None, {"task": None, "epochs": None, "dense": None}),
        (True, {"train": None}, {"epochs": None, "dense": None}),
        (False, None, {"weights": "random", "task": None, "epochs": None, "dense": None}),
        (False, {}, {"epochs": 0}),
        (False, {}, {}),
        (False, None, {"counted": 3, "task": None, "epochs": None, "dense": None}),
    ],
    ids=[
        "no data",
        "no training part",
        "nothing to keep",
        "samples",
        "training",
        "a pass that looks at none",
    ],
)
def test_what_is_told(
    told: bool,
    data: dict[str, Any] | None,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    courses.with_rows(monkeypatch, row())
    asked = {"weights": trained(tmp_path), "counted": {"digits": 3, "looks_at": 8}, **settings}
    own = None if data is None else task(**{"test": rows(2), **data})
    with courses.course(tmp_path / "run", recipe(**asked), subject(), own):
        assert [said.startswith(EXPECTED) for said in caplog.messages] == [True] * told


@pytest.mark.parametrize("samples", [8, 0])
def test_what_a_pass_expects_is_told_in_the_same_line(
    samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(courses.CountedSettings, "expects", "it is lost", raising=False)
    courses.with_rows(monkeypatch, row())
    asked = {"weights": trained(tmp_path), "task": None, "epochs": None, "dense": None}
    given = recipe(**asked, counted={"digits": 3, "looks_at": samples})
    with courses.course(tmp_path / "run", given, subject(), None):
        (said,) = caplog.messages
    assert said.startswith(
        "no samples of the data, and no training: it is lost where nothing makes"
    )
    assert ("made-up" in said) == bool(samples)

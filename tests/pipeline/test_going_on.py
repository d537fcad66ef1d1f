"""Runs that were ended go on where they were, and several at once leave the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest

from compress.pipeline.cache import Cache
from compress.pipeline.notify import Silent, Training
from compress.pipeline.run import run
from compress.recipe import Recipe, from_mapping
from compress.tasks import Task
from tests.cli.console import spawn
from tests.pipeline import courses
from tests.pipeline.courses import recipe, row, subject, task


@pytest.fixture(params=["cache", "no cache"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Keep stages in a cache of the test's own, or beside the results for want of one."""
    place = tmp_path / "cache" if request.param == "cache" else Path("/proc/nowhere")
    monkeypatch.setenv("COMPRESS_CACHE", str(place))
    courses.with_rows(monkeypatch, row("counted", trains=True), row("again"))
    return str(request.param)


class Ending(Silent):
    """Ends a training of the pass at a step, where one is given."""

    def __init__(self, at: int | None = None) -> None:
        self.steps: list[int] = []
        self._at, self._is_passing = at, False

    def training(self, begins: Training) -> None:
        """Look whether it is the pass's."""
        self._is_passing = begins.what.endswith("stage counted")

    def step(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """End it there."""
        if self._is_passing:
            self.steps.append(done)
            if done == self._at:
                raise KeyboardInterrupt


def ended(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def end_before_export(recipe: Recipe, out: Path, task: Task | None = None) -> None:
    with (
        mock.patch("compress.pipeline.run.ship", ended),
        pytest.raises(KeyboardInterrupt),
    ):
        run(recipe, subject(), out, task=task)


def packed(folder: Path) -> bytes:
    return (folder / "net.safetensors").read_bytes()


def test_no_pass_is_run_again(where: str, tmp_path: Path) -> None:
    settings = recipe(counted=2, again=1)
    end_before_export(settings, tmp_path / "one", task())
    assert courses.runs == [2, 1]
    run(settings, subject(), tmp_path / "one", task=task(), resume=True)
    assert courses.runs == [2, 1]
    assert not (tmp_path / "one" / ".work").exists()
    run(settings, subject(), tmp_path / "two", task=task())
    assert courses.runs == ([2, 1] if where == "cache" else [2, 1, 2, 1])
    assert packed(tmp_path / "one") == packed(tmp_path / "two")


def test_a_training_goes_on_from_its_last_epoch(where: str, tmp_path: Path) -> None:
    settings = recipe(counted=2, epochs=3)  # of a step each
    with pytest.raises(KeyboardInterrupt):
        run(settings, subject(), tmp_path / "one", task=task(), notify=Ending(at=2))
    resumed = Ending()
    run(settings, subject(), tmp_path / "one", task=task(), notify=resumed, resume=True)
    assert resumed.steps[0] == 2
    if where == "cache":  # which is cleared, so that all is done again
        Cache().clear()
    anew = Ending()
    run(settings, subject(), tmp_path / "two", task=task(), notify=anew)
    assert anew.steps[0] == 1
    assert packed(tmp_path / "one") == packed(tmp_path / "two")


@pytest.mark.usefixtures("where")
def test_a_search_for_a_size_is_not_done_again(tmp_path: Path) -> None:
    settings = from_mapping({"model": "net", "weights": "random", "target_bytes": 2_600})
    end_before_export(settings, tmp_path / "one")
    with mock.patch("compress.passes.target_bytes.to_size", ended):
        report = run(settings, subject(), tmp_path / "one", resume=True)
    assert report.artifact_bytes <= 2_600
    run(settings, subject(), tmp_path / "two")
    assert packed(tmp_path / "one") == packed(tmp_path / "two")


def test_two_runs_at_once_leave_the_same(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
import torch
from compress.pipeline.run import run
from tests.pipeline.courses import recipe, subject, task
torch.set_num_threads(1)  # threads do not outlive a fork
settings = recipe(prune=0.5, quantize="3bit", epochs=4)
children = []
for name in ("one", "two"):
    if not (child := os.fork()):
        run(settings, subject(), Path(sys.argv[1]) / name, task=task())
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""
    done = spawn(script, tmp_path, environment={"COMPRESS_CACHE": str(tmp_path / "cache")})
    assert done.out == "[0, 0]\n", done.err
    assert packed(tmp_path / "one") == packed(tmp_path / "two")
    left = {path.suffix for path in (tmp_path / "cache" / "stages").iterdir()}
    assert left == {".json", ".safetensors"}

"""`compress run` beside its stages: a folder that holds a run, how it ends, its exit codes."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from compress.pipeline.course import Course, Facts
from tests.cli.console import compress
from tests.cli.runs import small_run

NAME = "lenet-300-100"


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shared run's folder, its recipe beside it."""
    monkeypatch.setenv("COMPRESS_CACHE", str(small_run()[0].parent / "cache"))
    return shutil.copytree(small_run()[0], tmp_path / "run")


def test_a_finished_run_is_shown_again(finished: Path) -> None:
    words = ("run", "--recipe", finished / "recipe.yaml", "--out", finished)
    said = compress(*words).error()
    assert said.startswith(f"{finished} holds the results of a run: --resume shows them again")
    again = compress(*words, "--resume", "--json")
    assert again.json() == small_run()[1].json()
    assert again.err == f"the run in {finished} is done already: this is what it gave\n"
    said = compress(*words, "--resume", "--seed", "3").error()
    assert said.startswith(f"{finished} holds the results of a run with other settings; ")
    said = compress(*words, "--resume", "--force").error()
    assert said == "force must be left out with resume, got True"


def test_a_drop_becomes_an_exit_code(finished: Path) -> None:
    """The report is one that lost; its digests name the files beside it, and not itself."""
    path = finished / "report.json"
    report = json.loads(path.read_text())
    report["accuracy"] |= {"dense": 0.9, "compressed": 0.5, "n": 1000}
    path.write_text(json.dumps(report))
    words = ("run", "--recipe", finished / "recipe.yaml", "--out", finished, "--resume")
    lost = compress(*words, "--max-drop", "1")
    assert lost.code == 1
    assert lost.err.splitlines()[-1] == "compress: lost 40 points, more than --max-drop 1"
    assert "lost 40 points, where chance alone gives 3.7 on 1,000 samples" in lost.out
    assert f"compress run --recipe {shlex.quote(str(finished / 'recipe.yaml'))}" in lost.out
    assert compress(*words, "--max-drop", "40", "--json").code == 0
    assert compress(*words, "--json").json()["verdict"]["level"] == "lost"


def test_a_drop_is_a_number(tmp_path: Path) -> None:
    words = ("run", "--model", NAME, "--task", "digits", "--out", tmp_path / "run")
    assert "max-drop must be a number" in compress(*words, "--max-drop", "inf").error()
    assert all(compress(*words, "--max-drop", given).code for given in ("nan", "-1", "one"))


def test_a_drop_needs_data(tmp_path: Path) -> None:
    words = ("run", "--model", NAME, "--weights", "random", "--out", tmp_path / "run")
    said = compress(*words, "--max-drop", "1").error()
    assert said == "max-drop must be given with --task to measure on, got 1.0"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kept", [False, True])
def test_an_interrupted_run_says_how_to_go_on(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my run"

    def interrupted(course: Course) -> Facts:
        if kept:
            course.folder.work.note("dense", {"checkpoint": "an epoch"})
        raise KeyboardInterrupt

    monkeypatch.setattr("compress.pipeline.run.dense", interrupted)
    done = compress("run", "--model", NAME, "--weights", "random", "--out", folder, "--force")
    assert done.code == 130
    if kept:
        command = f"compress run --model {NAME} --weights random --out '{folder}' --resume"
        assert done.err.splitlines()[-1] == (
            f"compress: interrupted; what is done is kept in {folder}, go on with: {command}"
        )
    else:
        assert done.err == "compress: interrupted; nothing was begun\n"
        assert list(folder.iterdir()) == []

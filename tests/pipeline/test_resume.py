"""A run that is ended at any point goes on with --resume, and ends with the same bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compress.errors import DataError, OutputError, SettingsError
from compress.pipeline.work import Work
from tests.cli.console import PYTHON, compress, spawned_environment
from tests.cli.runs import RECIPE, small_run

NAME = "lenet-300-100"
FEW = (  # one run, ended five times: in training, between stages, in export, in pack
    f"prune.fit:after:KILL,prune.json:after:KILL,share.fit:after:INT,{NAME}.onnx:before:KILL,"
    f"{NAME}.safetensors:before:KILL",
)
FILES = (
    "recipe.yaml", "dense.fit", "dense.json", "prune.fit", "prune.model.safetensors", "prune.json",
    "share.fit", "share.model.safetensors", "share.json", "inputs.safetensors",
    "outputs.safetensors", f"{NAME}.onnx", "export.json", f"{NAME}.safetensors", "pack.json",
    "check.json", "report.json", "report.html",
)  # fmt: skip
MANY = tuple(f"{name}:{when}:KILL" for name in FILES for when in ("before", "after"))


@pytest.mark.parametrize(
    "points", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
)
def test_ended_runs_go_on_to_the_same_bytes(points: tuple[str, ...], tmp_path: Path) -> None:
    recipe = tmp_path / "given.yaml"
    recipe.write_text(RECIPE)
    done = subprocess.run(
        [*PYTHON, Path(__file__).with_name("killed.py"), recipe, tmp_path, *points],
        capture_output=True,
        text=True,
        check=False,
        env=spawned_environment(),
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["whole", "0"], (tmp_path / "whole.log").read_text()
    kept = (f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml")
    whole = {name: (tmp_path / "whole" / name).read_bytes() for name in kept}
    for (number, *codes), point in zip(lines[1:], points, strict=True):
        log = (tmp_path / f"{number}.log").read_text()
        ends = ["130" if one.endswith("INT") else "-9" for one in point.split(",")]
        assert codes == [*ends, "0"], (point, log)
        found = {name: (tmp_path / number / name).read_bytes() for name in kept}
        assert found == whole, point
        left = {path.name for path in (tmp_path / number).iterdir()}
        assert left == {*kept, "report.json", "report.html"}, point
        if "INT" in point:
            (line,) = [line for line in log.splitlines() if line.startswith("compress: ")]
            assert line.startswith(f"compress: interrupted; what is done is kept in {tmp_path}")
            assert line.endswith("--resume")


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    Work(folder, "one recipe", resume=False).close()
    said = compress(
        "run", "--model", "lenet-5", "--weights", "random", "--out", folder, "--resume"
    ).error()
    assert said.startswith(f"{folder} holds a run with other settings; ")
    with pytest.raises(SettingsError):
        Work(folder, "another recipe", resume=True)
    Work(folder, "one recipe", resume=True).close()


def test_without_resume_a_run_begins_anew(tmp_path: Path) -> None:
    work = Work(tmp_path, "a recipe", resume=False)
    with work.stage("dense") as record:
        record["params"] = 3
    for resume, left in ((True, record), (False, None)):
        work.close()
        work = Work(tmp_path, "a recipe", resume=resume)
        assert work.facts("dense") == left


def test_a_work_folder_without_its_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    """Such is what a run leaves that was killed while it cleaned up."""
    work = Work(tmp_path, "a recipe", resume=False)
    with work.stage("prune"):
        pass
    work.path("recipe.yaml").unlink()
    work.close()
    assert Work(tmp_path, "a recipe", resume=True).facts("prune") is None


def test_the_recipe_goes_first_from_a_work_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(tmp_path, "a recipe", resume=False)

    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", fail)
    with pytest.raises(OutputError, match="Permission denied"):
        work.discard()
    assert not work.path("recipe.yaml").exists()


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b"\xff"])
def test_a_damaged_work_folder_is_told(tmp_path: Path, content: bytes) -> None:
    work = Work(tmp_path, "a recipe", resume=False)
    work.path("dense.json").write_bytes(content)
    work.path("examples.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"dense.json is damaged: .*; leave out --resume"):
        work.facts("dense")
    with pytest.raises(DataError, match=r"examples.safetensors is damaged: "):
        work.load_arrays("examples")


def test_a_finished_run_leaves_no_work_folder() -> None:
    folder, _ = small_run()
    assert not (folder / ".work").exists()

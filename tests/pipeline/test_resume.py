"""A run that is ended at any point goes on with --resume, and ends with the same bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.console import PYTHON, spawned_environment
from tests.cli.runs import RECIPE, small_run

NAME = "lenet-300-100"
FEW = (  # one run, ended five times: in training, between stages, in export, in pack
    f"prune.fit:after:KILL,prune.json:after:KILL,share.fit:after:INT,{NAME}.onnx:before:KILL,"
    f"{NAME}.safetensors:before:KILL",
)
FILES = (
    "begun.json", "recipe.yaml", "dense.fit", "dense.json", "prune.fit", "prune.model.safetensors",
    "prune.json", "share.fit", "share.model.safetensors", "share.json", "inputs.safetensors",
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


def test_a_finished_run_leaves_no_work_folder() -> None:
    folder, _ = small_run()
    assert not (folder / ".work").exists()

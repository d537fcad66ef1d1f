"""A run that is ended at any point goes on with --resume, and ends with the same bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.console import PYTHON, spawned_environment
from tests.cli.runs import RECIPE, small_run

NAME = "lenet-300-100"
FEW = ",".join(  # one run, ended six times: in two trainings, between stages, in export, in pack
    (
        "*.fit:4:after:KILL",  # of the pruning, after three of the dense network
        f"{32 * '?'}.safetensors:1:after:KILL",  # what the pruning leaves, without its record
        "prune.json:1:after:KILL",
        "*.fit:1:after:INT",
        f"{NAME}.onnx:1:before:KILL",
        f"{NAME}.safetensors:1:before:KILL",
    )
)


@pytest.mark.parametrize(
    "points", [pytest.param(FEW, id="few"), pytest.param("all", marks=pytest.mark.slow)]
)
def test_ended_runs_go_on_to_the_same_bytes(points: str, tmp_path: Path) -> None:
    recipe = tmp_path / "given.yaml"
    recipe.write_text(RECIPE)
    done = subprocess.run(
        [*PYTHON, Path(__file__).with_name("killed.py"), recipe, tmp_path, points],
        capture_output=True,
        text=True,
        check=False,
        env=spawned_environment(),
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["whole", "-", "0"], (tmp_path / "whole.log").read_text()
    kept = (f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml")
    whole = {name: (tmp_path / "whole" / name).read_bytes() for name in kept}
    assert len(lines) > 1
    for number, point, *codes in lines[1:]:
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

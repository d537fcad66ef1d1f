"""One small run on the digits, made once and shared by the tests that look at its files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from tests import needs
from tests.cli.console import Outcome, compress

RECIPE = """
model: lenet-300-100
task: digits
dense: {epochs: 3, batch: 64, lr: 0.1}
prune: {sparsity: 0.9, interval: 5}
quantize: 4bit
epochs: 2
"""
_KEPT: list[TemporaryDirectory[str]] = []  # until the process ends


@cache
def small_run() -> tuple[Path, Outcome]:
    """Return the folder of the run, and what the command printed with --json."""
    needs.module("torch")
    _KEPT.append(TemporaryDirectory(prefix="compress-tests-"))
    folder = Path(_KEPT[0].name)
    (folder / "recipe.yaml").write_text(RECIPE)
    with mock.patch.dict("os.environ", {"COMPRESS_CACHE": str(folder / "cache")}):
        done = compress(
            "run", "--recipe", folder / "recipe.yaml", "--out", folder / "run", "--json"
        )
    return folder / "run", done


def file_of_run() -> Path:
    """Return the compressed file of the run."""
    return small_run()[0] / "lenet-300-100.safetensors"

"""A folder of images that has no part to train on: what is measured, and what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.console import compress

MODEL = "squeezenet1_0"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three images of two classes, all to be tested on."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name in ("cat/a.png", "cat/b.png", "dog/c.jpg"):
        path = root / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (90, 120, 3), np.uint8)).save(path)
    return root


def test_a_folder_to_measure_on(images: Path, tmp_path: Path) -> None:
    words = ["--model", MODEL, "--weights", "random", "--prune", "0.8", "--quantize", "4bit"]
    words += ["--task", "imagefolder", "--data", images, "--out", tmp_path, "--json"]
    report = compress("run", *words).json()
    assert report["accuracy"]["n"] == 3
    assert report["accuracy"]["reason"] is None
    assert report["accuracy"]["steps"] == []  # nothing to validate on
    assert report["parity"]["max_rel"] <= 1e-4
    assert all(row["distinct"] <= 16 for row in report["layers"] if len(row["shape"]) == 4)
    assert all(layer["distinct"] <= 16 for layer in report["layers"] if len(layer["shape"]) > 1)

    file = tmp_path / f"{MODEL}.safetensors"
    words = ["--task", "imagefolder", "--data", images]
    found = compress("eval", file, *words, "--json").json()
    assert found == {"metric": "accuracy", "value": report["accuracy"]["compressed"], "n": 3}
    (row,) = compress("predict", file, "--input", images / "val/dog/c.jpg", "--json").json()["rows"]
    assert {place["label"] for place in row["top"]} == {"cat", "dog"}
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_nothing_to_train_on(images: Path, tmp_path: Path) -> None:
    words = ["--model", MODEL, "--weights", "trained", "--task", "imagefolder", "--data", images]
    said = compress("run", *words, "--out", tmp_path).error()
    assert said == (
        f"task imagefolder has no training part to train {MODEL} on; "
        "use --weights pretrained|random|FILE"
    )

"""Published weights: their preprocessing, and a network with them on real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compress_zoo.registry import get
from compress_zoo.tasks.registry import get as task
from PIL import Image

from compress.pipeline import data
from compress.references import resolve
from tests import needs
from tests.cli.console import compress

MODEL = "efficientnet_lite0"
EVERY = 25  # 40 of the sample's 1,000 classes


@pytest.mark.parametrize("published", [True, False])
def test_published_weights_bring_their_preprocessing(published: bool, tmp_path: Path) -> None:
    (tmp_path / "val" / "cat").mkdir(parents=True)
    Image.new("RGB", (20, 30)).save(tmp_path / "val" / "cat" / "a.png")
    subject = resolve(MODEL)
    assert subject.preprocessing is not None
    own = subject.preprocessing if published else None
    found = data.load(task("imagefolder", tmp_path), subject, own)
    assert found is not None
    inputs, _ = found.test.batch([0])
    assert isinstance(inputs, np.ndarray)
    assert inputs.shape == (1, 3, 224, 224)
    assert inputs.min() == pytest.approx(-127 / 128 if published else -0.485 / 0.229)


def test_a_network_with_published_weights(tmp_path: Path) -> None:
    sample = needs.data("imagenet-sample") / "imagenet-sample"
    needs.package(get(MODEL).source.package)
    root = tmp_path / "images"
    (root / "val").mkdir(parents=True)
    (root / "classes.tsv").write_bytes((sample / "classes.tsv").read_bytes())
    for folder in sorted((sample / "val").iterdir())[::EVERY]:
        (root / "val" / folder.name).symlink_to(folder)

    recipe = tmp_path / "alone.yaml"
    recipe.write_text(f"{{model: {MODEL}, task: imagefolder, quantize: {{bits: 8, samples: 0}}}}")
    words = ["--recipe", recipe, "--data", root, "--out", tmp_path / "out", "--json"]
    report = compress("run", *words).json()
    assert report["accuracy"]["n"] == 40
    assert report["accuracy"]["dense"] >= 0.8  # 87.6% on all classes
    assert report["accuracy"]["compressed"] >= report["accuracy"]["dense"] - 0.1
    assert report["parity"]["max_rel"] <= 1e-4
    held = compress("inspect", tmp_path / "out" / f"{MODEL}.safetensors", "--json").json()
    assert held["metadata"]["preprocessing"]["mean"] == [127]

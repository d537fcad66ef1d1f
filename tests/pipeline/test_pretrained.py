"""Published weights: their preprocessing, and a network with them on real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compress.pipeline.subject import Subject, load_data
from compress_zoo.entry import image
from compress_zoo.registry import get
from compress_zoo.tasks.registry import get as task
from PIL import Image
from torch import nn

from compress.preprocess import Preprocessing
from tests import needs
from tests.cli.console import compress

MODEL = "efficientnet_lite0"
EVERY = 25  # 40 of the sample's 1,000 classes


@pytest.mark.parametrize("published", [True, False])
def test_published_weights_bring_their_preprocessing(published: bool, tmp_path: Path) -> None:
    (tmp_path / "val" / "cat").mkdir(parents=True)
    Image.new("RGB", (20, 30)).save(tmp_path / "val" / "cat" / "a.png")
    own, usual = get(MODEL).preprocessing, task("imagefolder").preprocessing((3, 224, 224))
    assert own is not None
    subject = Subject(
        name=MODEL,
        inputs=image(224),
        build=nn.Identity,
        load_pretrained=lambda model: None,
        is_pretrained=True,
        preprocessing=own,
        task=task("imagefolder"),
        root=tmp_path,
    )
    data = load_data(subject, own if published else None)
    assert data is not None
    assert data.preprocessing == Preprocessing.from_json(own if published else usual)
    black = data.preprocessing(data.test.images(np.array([0])))
    assert black.min() == pytest.approx(-127 / 128 if published else -0.485 / 0.229)


def test_a_network_with_published_weights(tmp_path: Path) -> None:
    sample = needs.data("imagenet-sample") / "imagenet-sample"
    needs.package(get(MODEL).source.package)
    root = tmp_path / "images"
    (root / "val").mkdir(parents=True)
    (root / "classes.tsv").write_bytes((sample / "classes.tsv").read_bytes())
    for folder in sorted((sample / "val").iterdir())[::EVERY]:
        (root / "val" / folder.name).symlink_to(folder)

    words = ["--model", MODEL, "--task", "imagefolder", "--data", root, "--quantize", "8bit"]
    report = compress("run", *words, "--out", tmp_path / "out", "--json").json()
    assert report["accuracy"]["n"] == 40
    assert report["accuracy"]["dense"] >= 0.8  # 87.6% on all classes
    assert report["accuracy"]["compressed"] >= report["accuracy"]["dense"] - 0.1
    assert report["parity"]["max_rel"] <= 1e-4
    held = compress("inspect", tmp_path / "out" / f"{MODEL}.safetensors", "--json").json()
    assert held["metadata"]["preprocessing"]["mean"] == [127]

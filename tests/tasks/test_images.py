"""Tasks of images: inputs by a network's preprocessing, whatever the pictures come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.errors import DataError, FormatError
from compress.preprocess import Preprocessing
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays, Files
from tests import needs
from tests.tasks.images import Made
from tests.zoo.tasks.takes import images

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3)).astype(np.uint8)
LABELS = np.array([0, 1, 1, 0, 1])
RECORD = Preprocessing(mode="RGB", crop=(6, 6), mean=(0.5,), std=(0.25,))
BYTES = PIXELS.size


def test_files_and_arrays_give_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for pixels, path in zip(PIXELS, paths, strict=True):
        Image.fromarray(pixels).save(path)
    made = Images(Files(tuple(paths), LABELS), RECORD).batch([3, 1])
    held = Images(Arrays(PIXELS, LABELS), RECORD).batch([3, 1])
    assert np.array_equal(made[0], held[0])
    assert made[1].tolist() == held[1].tolist() == [0, 1]
    np.testing.assert_allclose(
        made[0][0], (PIXELS[3].transpose(2, 0, 1) / 255 - 0.5) / 0.25, 0, 1e-6
    )


@pytest.mark.parametrize("limit", [4 * BYTES, BYTES, BYTES - 1])
def test_in_memory(limit: int) -> None:
    samples = Images(Arrays(PIXELS, LABELS), RECORD)
    held = samples.in_memory(limit)
    if limit < BYTES:
        assert held is None
        return
    assert held is not None
    assert np.array_equal(held.batch([4, 0])[0], samples.batch([4, 0])[0])
    assert held.batch([4, 0])[1].tolist() == [1, 0]
    assert held.digest() == samples.digest()
    assert held.in_memory(0) is held


def test_a_network_decides_its_preprocessing() -> None:
    task = Made(parts={"test": Arrays(PIXELS, LABELS)}, classes=("a", "b"))
    told = RECORD.to_json()
    suited = task.suited(images(3, 6, 6, preprocessing=told))
    assert suited.facts == {"preprocessing": told, "labels": ["a", "b"]}
    assert suited.settings["augmentation"] == {}
    assert task.suited(images(1, 6, 6)).facts["preprocessing"]["mode"] == "L"
    assert task.suited(images(3, 0, 0, preprocessing=told)).preprocessing == RECORD
    assert suited.load("train") is None
    with pytest.raises(DataError, match="must be suited to a network before it has inputs"):
        task.load("test")
    with pytest.raises(DataError, match="needs a network on images of one size, got net on inputs"):
        task.suited(images(3, 0, 0))
    with pytest.raises(
        DataError, match=r"needs a network on grey or RGB images, got net .* \(4, 6"
    ):
        task.suited(images(4, 6, 6))
    with pytest.raises(FormatError, match="preprocessing: "):
        task.suited(images(3, 6, 6, preprocessing={"mode": "CMYK"}))


def test_changes_are_drawn_for_each_place() -> None:
    needs.module("torch")
    import torch

    task = Made(changes={"flip": 1.0})
    change = task.augment(3, 1.0, torch.Generator().manual_seed(0))
    assert change is not None
    inputs = torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(change(inputs, np.array([2, 0])), inputs.flip(3))
    assert task.augment(3, 0.0, torch.Generator()) is None

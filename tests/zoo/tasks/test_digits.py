import sys
from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.digits import Digits

from compress.errors import DataError
from compress.tasks import Part, Takes
from compress.training.settings import TrainSettings
from tests.zoo.tasks.takes import images

TASK = Digits(root=Path("/nowhere"))


@pytest.mark.parametrize(("part", "count"), [("train", 1200), ("validation", 240), ("test", 357)])
def test_parts(part: Part, count: int) -> None:
    samples = TASK.pictures(part)
    assert len(samples) == count
    share = np.bincount(samples.labels, minlength=10) / count
    assert np.all(np.abs(share - 0.1) < 0.01)
    assert {np.asarray(image).shape for image in samples.images([0, 1])} == {(8, 8)}


def test_parts_are_disjoint_and_stay_the_same() -> None:
    names: tuple[Part, ...] = ("train", "validation", "test")
    parts = [TASK.pictures(part) for part in names]
    rows = np.concatenate([p.pixels.reshape(len(p), -1) for p in parts])
    assert rows.max() == 255
    assert len(np.unique(rows, axis=0)) == 1797
    assert parts[2].labels[:12].tolist() == [1, 3, 9, 1, 3, 9, 3, 9, 7, 6, 7, 6]


def test_preprocessing_scales_up() -> None:
    grey = TASK.suited(images(1, 28, 28)).load("test")
    assert grey is not None
    inputs, labels = grey.batch(np.arange(3))
    assert isinstance(inputs, np.ndarray)
    assert inputs.shape == (3, 1, 28, 28)
    assert inputs.min() == 0
    assert inputs.max() <= 1
    assert isinstance(labels, np.ndarray)
    assert labels.tolist() == [1, 3, 9]
    colour = TASK.suited(images(3, 32, 32)).load("test")
    assert colour is not None
    assert np.shape(colour.batch([0])[0]) == (1, 3, 32, 32)


def test_scikit_learn_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ZooError, match=r"^scikit-learn is not installed; install it with: pip"):
        TASK.pictures("test")


def test_network_on_something_else() -> None:
    for shapes in (((7, 28, 28),), ((1, 28, 28), (4,)), ()):
        inputs = [image for shape in shapes for image in images(*shape).inputs]
        with pytest.raises(DataError, match="digits needs a network on grey or RGB images, got n"):
            TASK.suited(Takes(name="n", inputs=inputs))


def test_recipes_are_settings() -> None:
    for stage in ("dense", "prune", "quantize", "another"):
        assert TrainSettings(**TASK.training(stage, "lenet-5")).epochs > 0

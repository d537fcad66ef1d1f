import sys
from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.digits import Digits
from compress_zoo.tasks.task import Part

from compress.preprocess import Preprocessing
from compress.training.settings import TrainSettings

NOWHERE = Path("/nowhere")


@pytest.mark.parametrize(("part", "count"), [("train", 1200), ("validation", 240), ("test", 357)])
def test_parts(part: Part, count: int) -> None:
    samples = Digits().load(part, NOWHERE)
    assert samples is not None
    assert len(samples) == count
    share = np.bincount(samples.labels, minlength=10) / count
    assert np.all(np.abs(share - 0.1) < 0.01)
    assert {np.asarray(image).shape for image in samples.images([0, 1])} == {(8, 8)}


def test_parts_are_disjoint_and_stay_the_same() -> None:
    parts = [Digits().load(part, NOWHERE) for part in ("train", "validation", "test")]
    rows = np.concatenate([p.pixels.reshape(len(p), -1) for p in parts if p is not None])
    assert rows.max() == 255
    assert len(np.unique(rows, axis=0)) == 1797
    assert parts[2] is not None
    assert parts[2].labels[:12].tolist() == [1, 3, 9, 1, 3, 9, 3, 9, 7, 6, 7, 6]


def test_preprocessing_scales_up() -> None:
    samples = Digits().load("test", NOWHERE)
    assert samples is not None
    images = samples.images(np.arange(3))
    grey = Preprocessing.from_json(Digits().preprocessing((1, 28, 28)))(images)
    assert grey.shape == (3, 1, 28, 28)
    assert grey.min() == 0
    assert grey.max() <= 1
    assert Preprocessing.from_json(Digits().preprocessing((3, 32, 32)))(images).shape == (
        3,
        3,
        32,
        32,
    )


def test_scikit_learn_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ZooError, match=r"^scikit-learn is not installed; install it with: pip"):
        Digits().load("test", NOWHERE)


def test_network_on_something_else() -> None:
    with pytest.raises(ZooError, match="digits needs a network on grey or RGB images"):
        Digits().preprocessing((7, 28, 28))


def test_recipes_are_settings() -> None:
    for stage in ("baseline", "fine_tune", "centroids"):
        assert TrainSettings(**Digits().training(stage, "lenet-5")).epochs > 0  # type: ignore[arg-type]

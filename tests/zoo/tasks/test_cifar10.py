import sys
from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.cifar10 import Cifar10
from compress_zoo.tasks.recipes import tenth
from PIL import Image

from compress.tasks import Part
from compress.tasks.pictures import Files
from tests import needs
from tests.zoo.tasks.takes import images

PARTS: tuple[Part, ...] = ("train", "validation", "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay out twelve training images and one test image a class, each grey by its number."""
    for part, count in (("train", 12), ("test", 1)):
        for name in Cifar10.classes:
            folder = tmp_path / "cifar10-images" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (32, 32), (number,) * 3).save(folder / f"{number:04d}.png")
    return tmp_path


def test_every_tenth_of_each_class_validates(root: Path) -> None:
    task = Cifar10(root=root)
    train, validation, test = map(task.pictures, PARTS)
    assert isinstance(validation, Files)
    assert {path.stem for path in validation.paths} == {"0000", "0010"}
    assert np.bincount(train.labels).tolist() == [10] * 10
    assert np.bincount(validation.labels).tolist() == [2] * 10
    assert test.labels.tolist() == list(range(10))
    grey = task.suited(images(1, 16, 16)).load("test")
    assert grey is not None
    assert np.shape(grey.batch([0, 1])[0]) == (2, 1, 16, 16)


def test_tenth_is_counted_within_a_class() -> None:
    labels = np.array([1, 0, 1, *[1] * 9, 2])
    assert np.flatnonzero(tenth(labels)).tolist() == [0, 11]  # classes of one are trained on


def test_a_class_that_is_missing(root: Path) -> None:
    (root / "cifar10-images/test/truck").rename(root / "cifar10-images/test/lorry")
    with pytest.raises(
        ZooError, match=r"must hold a folder of images for each of airplane, .*lorr"
    ):
        Cifar10(root=root).pictures("test")


def test_files_of_torchvision_that_are_not_as_published(root: Path) -> None:
    """Their sums are compared before anything in them could run."""
    pytest.importorskip("torchvision")
    batches = root / "cifar-10-batches-py"
    batches.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (batches / name).write_bytes(b"\x80\x04}.")  # an empty dict
    with pytest.raises(
        ZooError, match=r"it is not as it was published \(Dataset not found or corr"
    ):
        Cifar10(root=root).pictures("test")


def test_missing_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torchvision")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing answers there
    with pytest.raises(ZooError) as caught:
        Cifar10(root=tmp_path).pictures("train")
    message = str(caught.value)
    assert message.startswith("cifar10: neither cifar-10-batches-py nor cifar10-images can be rea")
    assert "it cannot be downloaded (" in message
    assert "--data or $COMPRESS_DATA" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


def test_missing_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ZooError, match="torchvision, which reads and brings it, is not installed"):
        Cifar10(root=tmp_path).pictures("test")


def test_real_files() -> None:
    root = needs.data("cifar10-images")
    counts = [np.bincount(Cifar10(root=root).pictures(part).labels) for part in PARTS]
    assert [set(count.tolist()) for count in counts] == [{4_500}, {500}, {1_000}]

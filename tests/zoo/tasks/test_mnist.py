import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.mnist import Mnist

from compress.tasks import Part
from compress.training.settings import TrainSettings
from tests import needs
from tests.zoo.tasks.takes import images

PARTS: tuple[Part, ...] = ("train", "validation", "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay out 24 training and 5 test images whose first pixel is their number."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, count in (("train", 24), ("t10k", 5)):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:, 0, 0] = np.arange(count)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 0x803, count, 28, 28) + pixels.tobytes()
        )
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count))
        )
    return tmp_path


def test_every_twelfth_training_image_validates(root: Path) -> None:
    parts = {part: Mnist(root=root).pictures(part) for part in PARTS}
    numbers = {name: p.pixels[:, 0, 0].tolist() for name, p in parts.items()}
    assert numbers["validation"] == [11, 23]
    assert numbers["train"] == [i for i in range(24) if i not in (11, 23)]
    assert numbers["test"] == list(range(5))
    assert parts["validation"].labels.tolist() == [1, 3]


def _damaged(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path.parents[2]


IMAGES = "MNIST/raw/t10k-images-idx3-ubyte"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08\x03",
        struct.pack(">4I", 0x803, 5, 28, 28),
        struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(8),
        struct.pack(">4I", 0x803, 1, 28, 28) + bytes(785),
        struct.pack(">4I", 0x801, 1, 28, 28) + bytes(784),
    ],
)
def test_hostile_file(root: Path, data: bytes) -> None:
    with pytest.raises(ZooError, match=r"t10k-images-idx3-ubyte (is no IDX file|has .* bytes)"):
        Mnist(root=_damaged(root / IMAGES, data)).pictures("test")


def test_labels_that_do_not_belong(root: Path) -> None:
    labels = root / "MNIST/raw/t10k-labels-idx1-ubyte"
    for count, label in ((4, 1), (5, 10)):
        data = struct.pack(">2I", 0x801, count) + bytes([label] * count)
        with pytest.raises(ZooError, match="are not images with their labels"):
            Mnist(root=_damaged(labels, data)).pictures("test")


def test_missing_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing answers there
    with pytest.raises(ZooError) as caught:
        Mnist(root=tmp_path).pictures("train")
    message = str(caught.value)
    assert message.startswith(f"mnist: train-images-idx3-ubyte is not in {tmp_path / 'MNIST/raw'}")
    assert "--data or $COMPRESS_DATA" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


def test_missing_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ZooError, match="torchvision, which downloads it, is not installed; put"):
        Mnist(root=tmp_path).pictures("test")


def test_preprocessing_keeps_black_at_zero() -> None:
    record = Mnist(root=Path()).suited(images(1, 28, 28)).preprocessing
    assert record is not None
    image = np.array([[0, 255], [51, 0]], np.uint8).repeat(14, 0).repeat(14, 1)
    values = record([image])
    corners = values[0, 0, ::14, ::14].ravel().tolist()
    assert corners == pytest.approx([0, 1, 0.2, 0])


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5", "resnet18"])
def test_recipes_are_settings(model: str) -> None:
    for stage in ("dense", "prune", "quantize"):
        assert TrainSettings(**Mnist(root=Path()).training(stage, model)).epochs > 0


def test_real_files() -> None:
    root = needs.data("MNIST")
    parts = {part: Mnist(root=root).pictures(part) for part in PARTS}
    counts = {part: len(samples) for part, samples in parts.items()}
    assert counts == {"train": 55_000, "validation": 5_000, "test": 10_000}
    samples = parts["test"]
    assert np.bincount(samples.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip

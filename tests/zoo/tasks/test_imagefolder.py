import shutil
from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.imagefolder import ImageFolder
from PIL import Image

from compress.errors import DataError
from compress.tasks import Part
from compress.tasks.pictures import Files
from compress.training.settings import TrainSettings
from tests import needs
from tests.zoo.tasks.takes import images

PARTS: tuple[Part, ...] = ("train", "validation", "test")


def _part(part: Part, root: Path) -> Files:
    found = ImageFolder(root=root).pictures(part)
    assert found is not None
    return found


def _fill(folder: Path, **classes: int) -> None:
    """Write some images a class; each is grey by its number."""
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (9, 6), (number, 0, 0)).save(folder / name / f"{number:02d}.png")
        (folder / name / "notes.txt").write_text("no image")


def _sizes(root: Path) -> dict[str, int | None]:
    parts = {part: ImageFolder(root=root).pictures(part) for part in PARTS}
    return {name: None if part is None else len(part) for name, part in parts.items()}


@pytest.mark.parametrize(
    ("folders", "sizes"),
    [
        (("val",), (None, None, 24)),
        (("validation",), (None, None, 24)),
        (("test",), (None, None, 24)),
        (("train", "val"), (20, 4, 24)),
        (("train", "test"), (20, 4, 24)),
        (("train",), (20, 4, None)),
        (("train", "val", "test"), (24, 24, 24)),
        (("val", "test"), (None, 24, 24)),
        ((".",), (None, None, 24)),
    ],
)
def test_parts(tmp_path: Path, folders: tuple[str, ...], sizes: tuple[int | None, ...]) -> None:
    for folder in folders:
        _fill(tmp_path / folder, ant=12, bee=10, cow=2)
    assert tuple(_sizes(tmp_path).values()) == sizes


def test_order_labels_and_split(tmp_path: Path) -> None:
    _fill(tmp_path / "train", bee=1, ant=11)
    _fill(tmp_path / "val", ant=2, bee=1)
    validation, train, test = (_part(part, tmp_path) for part in ("validation", "train", "test"))
    assert [p.name for p in validation.paths] == ["00.png", "10.png"]
    assert train.labels.tolist() == [0] * 9 + [1]
    assert test.labels.tolist() == [0, 0, 1]
    assert [image.getpixel((0, 0)) for image in test.images([1, 0])] == [(1, 0, 0), (0, 0, 0)]  # type: ignore[union-attr]
    assert ImageFolder(root=tmp_path).classes == ("ant", "bee")


def test_digest_is_of_content_and_classes(tmp_path: Path) -> None:
    _fill(tmp_path / "a" / "test", ant=2, bee=2)

    def digest(root: str) -> str:
        return _part("test", tmp_path / root).digest()

    first = digest("a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/test/ant/00.png").touch()
    assert digest("b") == first  # neither place nor time
    (tmp_path / "b/test/ant/00.png").rename(tmp_path / "b/test/bee/00b.png")
    moved = digest("b")
    assert moved != first
    data = bytearray((tmp_path / "a/test/bee/01.png").read_bytes())
    data[-20] ^= 1  # of the same length
    (tmp_path / "a/test/bee/01.png").write_bytes(data)
    assert digest("a") not in (first, moved)
    changed, same = (_part("test", tmp_path / root) for root in ("a", "b"))
    assert changed.digest([3]) != same.digest([3])
    assert changed.digest([0, 1, 2, 3]) == digest("a")


def test_digest_of_a_file_that_went_away(tmp_path: Path) -> None:
    _fill(tmp_path / "test", ant=1)
    samples = _part("test", tmp_path)
    (tmp_path / "test/ant/00.png").unlink()
    with pytest.raises(DataError, match=r"00\.png cannot be read: No such file"):
        samples.digest()


def test_table_gives_names_and_numbers(tmp_path: Path) -> None:
    _fill(tmp_path / "val", n03=1, n02=2)
    table = tmp_path / "classes.tsv"
    table.write_text("index\twnid\tname\n0\tn01\ttench\n2\tn03\tshark\n1\tn02\tgoldfish\n")
    samples = _part("test", tmp_path)
    assert samples.labels.tolist() == [1, 1, 2]
    assert ImageFolder(root=tmp_path).classes == ("tench", "goldfish", "shark")
    _fill(tmp_path / "val", n09=1)
    with pytest.raises(ZooError, match=r"n09 is not a known class; name it in .*classes\.tsv"):
        ImageFolder(root=tmp_path).pictures("test")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "index\twnid\n0\tn02\n",
        "index\twnid\tname\nzero\tn02\ta\n",
        "index\twnid\tname\n5\tn02\ta\n",
        "index\twnid\tname\n0\tn02\ta\n0\tn03\tb\n",
        "index\twnid\tname\n0\n",
    ],
)
def test_broken_table(tmp_path: Path, text: str) -> None:
    _fill(tmp_path / "val", n02=1)
    (tmp_path / "classes.tsv").write_text(text)
    with pytest.raises(ZooError, match=r"classes\.tsv must"):
        ImageFolder(root=tmp_path).pictures("test")


def test_class_that_was_not_trained(tmp_path: Path) -> None:
    _fill(tmp_path / "train", ant=2)
    _fill(tmp_path / "val", ant=1, bee=1)
    with pytest.raises(ZooError, match="bee is not a known class"):
        ImageFolder(root=tmp_path).pictures("test")


def test_empty_and_missing_roots(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"holds no images in class folders; put images at .*--data"):
        ImageFolder(root=tmp_path).pictures("test")
    with pytest.raises(ZooError, match="is not a folder; put images at"):
        ImageFolder(root=tmp_path / "gone").pictures("test")
    (tmp_path / "val" / "ant").mkdir(parents=True)
    with pytest.raises(ZooError, match="val holds no images"):
        ImageFolder(root=tmp_path).pictures("test")


def test_file_that_is_no_image(tmp_path: Path) -> None:
    _fill(tmp_path / "val", ant=1)
    whole = (tmp_path / "val/ant/00.png").read_bytes()
    for data in (b"", b"GIF89a", whole[:40]):
        (tmp_path / "val/ant/00.png").write_bytes(data)
        samples = _part("test", tmp_path)
        with pytest.raises(DataError, match=r"00\.png is not a readable image: [^\n<]+$"):
            samples.images([0])


@pytest.mark.parametrize(
    ("shape", "resize"), [((3, 224, 224), 256), ((3, 227, 227), 259), ((1, 112, 224), (128, 256))]
)
def test_preprocessing(shape: tuple[int, int, int], resize: object) -> None:
    record = ImageFolder(root=Path()).default_preprocessing(shape)
    assert record.resize == resize
    assert record([np.zeros((300, 400, 3), np.uint8)]).shape == (1, *shape)


def test_recipes_are_settings() -> None:
    for stage in ("dense", "prune", "quantize"):
        settings = ImageFolder(root=Path()).training(stage, "resnet50")
        assert TrainSettings(**settings).epochs > 0


def test_imagenet_sample() -> None:
    root = needs.data("imagenet-sample") / "imagenet-sample"
    samples = _part("test", root)
    assert samples.labels.tolist() == list(range(1000))
    assert ImageFolder(root=root).pictures("train") is None
    assert ImageFolder(root=root).pictures("validation") is None
    assert ImageFolder(root=root).classes[:2] == ("tench", "goldfish")
    made = ImageFolder(root=root).suited(images(3, 224, 224)).load("test")
    assert made is not None
    assert np.shape(made.batch([0, 999])[0]) == (2, 3, 224, 224)


def test_parts_as_people_call_them(tmp_path: Path) -> None:
    for folder in ("Training", "valid", "TEST"):
        _fill(tmp_path / folder, ant=12, bee=10)
    assert tuple(_sizes(tmp_path).values()) == (22, 22, 22)
    _fill(tmp_path / "dev", ant=1)
    with pytest.raises(
        ZooError, match=r"(dev|valid) and (dev|valid) name the same part; leave one"
    ):
        ImageFolder(root=tmp_path).pictures("validation")


def test_a_class_that_is_called_as_a_part_is(tmp_path: Path) -> None:
    _fill(tmp_path, train=2, car=3)
    assert tuple(_sizes(tmp_path).values()) == (None, None, 5)
    assert ImageFolder(root=tmp_path).classes == ("car", "train")


def test_a_class_of_one_picture_each_validates_nothing(tmp_path: Path) -> None:
    _fill(tmp_path / "train", ant=1, bee=1)
    _fill(tmp_path / "val", ant=1, bee=1)
    assert tuple(_sizes(tmp_path).values()) == (2, None, 2)


def test_what_is_left_out_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _fill(tmp_path / "test", ant=2, bee=1)
    for name in ("new/drafts", "old", "__MACOSX/ant", ".cache"):
        (tmp_path / "test" / name).mkdir(parents=True)
    (tmp_path / "test/ant/phone.HEIC").write_bytes(b"a picture of another kind")
    Image.new("L", (2, 2)).save(tmp_path / "test/stray.png")
    for _ in range(2):
        assert tuple(_sizes(tmp_path).values()) == (None, None, 3)
    assert ImageFolder(root=tmp_path).classes == ("ant", "bee")
    assert caplog.messages == [
        f"imagefolder: {tmp_path / 'test'}: {told}"
        for told in (
            "folders without a picture are no classes: new, old",
            "pictures in no class folder are left out: stray.png",
            "files that Pillow cannot read are left out: ant/phone.HEIC",
        )
    ]


def test_accents_count_alike_however_they_are_written(tmp_path: Path) -> None:
    """macOS takes them apart, and would sort them otherwise."""
    apart, whole = ({name: 1, "cafz": 1} for name in ("cafe\u0301", "caf\u00e9"))
    _fill(tmp_path / "train", **apart)
    _fill(tmp_path / "val", **whole)
    assert ImageFolder(root=tmp_path).classes == ("cafz", "caf\u00e9")
    test = _part("test", tmp_path)
    assert test.labels.tolist() == [0, 1]

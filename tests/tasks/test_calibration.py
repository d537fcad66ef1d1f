"""Samples without labels, and files that hold none."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compress_zoo.tasks.digits import Digits
from PIL import Image

from compress.errors import DataError, FormatError, MissingExtraError
from compress.preprocess import Preprocessing
from compress.tasks import Arrays, Takes, calibration
from tests import needs
from tests.texts import tokenizer
from tests.zoo.tasks.takes import images

RECORD = Preprocessing(mode="RGB", crop=(4, 6))


def takes(*inputs: tuple[str, tuple[int, ...], int | None], **told: Any) -> Takes:
    made = [SimpleNamespace(name=n, shape=shape, below=below) for n, shape, below in inputs]
    return Takes(name="net", inputs=made, **told)


TEXTS = (("input_ids", (0,), 9), ("attention_mask", (0,), 2))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Lay out three pictures at three depths, and what is none."""
    for number, name in enumerate(("a.png", "x/b.png", "x/y/c.jpg")):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (number, 0, 0)).save(path)
    (tmp_path / "pictures" / "notes.txt").write_text("none")
    (tmp_path / "pictures" / ".hidden.png").write_bytes(b"none")
    return tmp_path / "pictures"


def test_pictures_at_any_depth(pictures: Path, caplog: pytest.LogCaptureFixture) -> None:
    (pictures / "phone.heic").write_bytes(b"of another kind")
    found = calibration.load(pictures, images(3, 4, 6, preprocessing=RECORD.to_json()), None)
    assert len(found) == 3
    (inputs,) = found.inputs([1, 0])
    assert inputs.shape == (2, 3, 4, 6)
    assert inputs[:, 0, 0, 0].tolist() == [np.float32(1 / 255), 0]
    assert "phone.heic" in caplog.messages[0]
    other = RECORD.to_json() | {"mean": [0.5]}
    same = calibration.load(pictures, images(3, 4, 6, preprocessing=other), None)
    digests = {found.digest([0, 1]), found.digest([1, 0]), found.digest([0]), same.digest([0, 1])}
    assert len(digests) == 4


def test_whose_preprocessing_counts(pictures: Path) -> None:
    task = Digits()
    (inputs,) = calibration.load(pictures, images(1, 8, 8), task).inputs([2])
    assert inputs.shape == (1, 1, 8, 8)
    own = images(3, 4, 6, preprocessing=RECORD.to_json())
    assert calibration.load(pictures, own, task).inputs([2])[0].shape == (1, 3, 4, 6)
    for other in (None, Arrays(test=([[1.0]], [1.0]))):
        with pytest.raises(DataError, match="how an image becomes an input of net is not known"):
            calibration.load(pictures, images(1, 8, 8), other)
    with pytest.raises(DataError, match=r"of shape \(3, 4, 6\), and net takes \(3, 8, 8\)"):
        calibration.load(pictures, images(3, 8, 8, preprocessing=RECORD.to_json()), None)
    with pytest.raises(DataError, match="needs a network on grey or RGB images"):
        calibration.load(pictures, takes(*TEXTS, preprocessing=RECORD.to_json()), None)


def test_pictures_that_are_none(pictures: Path, tmp_path: Path) -> None:
    told = images(3, 4, 6, preprocessing=RECORD.to_json())
    (pictures / "a.png").write_bytes(b"\x89PNG and no more")
    found = calibration.load(pictures, told, None)
    with pytest.raises(DataError, match=r"^.*a\.png is not a readable image: [^\n]*$"):
        found.inputs([0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no images"):
        calibration.load(tmp_path / "empty", told, None)


def test_arrays(tmp_path: Path) -> None:
    whole = np.arange(24.0).reshape(4, 2, 3)
    np.save(tmp_path / "x.npy", whole)
    found = calibration.load(tmp_path / "x.npy", takes(("x", (2, 0), None)), None)
    assert len(found) == 4
    (inputs,) = found.inputs([3, 1])
    assert inputs.dtype == np.float32
    assert inputs.tolist() == whole[[3, 1]].tolist()
    assert found.digest([3, 1]) != found.digest([1, 3])
    two = takes(("x", (2, 3), None), ("word", (), 7))
    np.savez_compressed(tmp_path / "two.npz", word=np.uint8([1, 2, 6, 0]), x=whole)
    x, word = calibration.load(tmp_path / "two.npz", two, None).inputs(np.array([2]))
    assert (x.shape, x.dtype, word.tolist(), word.dtype) == ((1, 2, 3), np.float32, [6], np.int64)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((4, 2, 3))}, r"an array for each input of net \(x, word\), got x"),
        ({"x": np.zeros((4, 2)), "word": np.zeros(4, int)}, r"x of shape \(samples, 2, any\), got"),
        ({"x": np.zeros((4, 3, 3)), "word": np.zeros(4, int)}, r"got \(4, 3, 3\)"),
        ({"x": np.zeros((0, 2, 3)), "word": np.zeros(0, int)}, r"got \(0, 2, 3\)"),
        ({"x": np.zeros((4, 2, 3)), "word": np.zeros(5, int)}, r"as many rows .* got \[4, 5\]"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=said):
        calibration.load(tmp_path / "x.npz", takes(("x", (2, 0), None), ("word", (), 7)), None)


@pytest.mark.parametrize(
    ("value", "below", "said"),
    [
        (np.array([[np.nan]]), None, "must hold finite numbers for x"),
        (np.array([[1j]]), None, "must hold finite numbers for x"),
        (np.array([["a"]]), None, "must hold finite numbers for x"),
        (np.array([[7]]), 7, r"must hold integers in \[0, 7\) for x"),
        (np.array([[-1]]), 7, r"must hold integers in \[0, 7\) for x"),
        (np.array([[1.0]]), 7, r"must hold integers in \[0, 7\) for x"),
    ],
)
def test_values_that_do_not_fit(
    tmp_path: Path, value: np.ndarray[Any, Any], below: int | None, said: str
) -> None:
    np.save(tmp_path / "x.npy", value)
    found = calibration.load(tmp_path / "x.npy", takes(("x", (1,), below)), None)
    with pytest.raises(DataError, match=said):
        found.inputs([0])


HEADER = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': "


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array",
        b"PK\x03\x04 and no more",
        (HEADER + b"(3, 784), }").ljust(127) + b"\n" + bytes(9),
        (HEADER + b"(99999999999999,), }").ljust(127) + b"\n",
        (HEADER + b"__import__('os'), }").ljust(127) + b"\n",
        b"\x93NUMPY\x09\x00" + bytes(200),
    ],
)
def test_hostile_arrays(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=r"^.*x\.np[yz] (is not a|holds no) readable [^\n]*$"):
        calibration.load(tmp_path / name, takes(("x", (1,), None)), None)


def test_hostile_members(tmp_path: Path) -> None:
    place = tmp_path / "x.npz"
    for data in (b"none", (HEADER + b"(99999999999999,), }").ljust(127) + b"\n"):
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("x.npy", data)
        with pytest.raises(DataError, match=r"x\.npz holds no readable \.npz arrays: [^\n]*$"):
            calibration.load(place, takes(("x", (1,), None)), None)
    np.savez(place, x=np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="holds objects of Python, which are not read"):
        calibration.load(place, takes(("x", (1,), None)), None)
    whole = bytearray(place.read_bytes())
    whole[60] ^= 0xFF
    place.write_bytes(whole)
    with pytest.raises(DataError, match="holds no readable"):
        calibration.load(place, takes(("x", (1,), None)), None)


def test_sentences(tmp_path: Path) -> None:
    place = tmp_path / "s.txt"
    place.write_text("cat dog\n\n  bird \r\ndog\n")
    found = calibration.load(place, takes(*TEXTS, tokenizer=tokenizer()), None)
    assert len(found) == 3
    ids, mask = found.inputs([1, 0])
    assert ids.tolist() == [[4, 0], [2, 3]]
    assert mask.tolist() == [[1, 0], [1, 1]]
    assert len({found.digest([0, 1]), found.digest([1, 0]), found.digest([0])}) == 3


def test_sentences_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.module("tokenizers")
    told = takes(*TEXTS, tokenizer=tokenizer())
    place = tmp_path / "s.txt"
    for data, said in ((b" \n", "holds no sentence"), (b"\xff\xfe", "must hold text in UTF-8")):
        place.write_bytes(data)
        with pytest.raises(DataError, match=said):
            calibration.load(place, told, None)
    with pytest.raises(DataError, match=r"net holds no tokenizer\.json"):
        calibration.load(place, takes(*TEXTS), None)
    with pytest.raises(FormatError, match="is no tokenizer"):
        calibration.load(place, takes(*TEXTS, tokenizer=b"{}"), None)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match="tokenizers is not installed"):
        calibration.load(place, told, None)


def test_other_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be a folder of images, or .* which is not there"):
        calibration.load(tmp_path / "gone", takes(("x", (1,), None)), None)
    (tmp_path / "x.csv").write_text("1")
    with pytest.raises(DataError, match=r"must be a folder of images, or .* got .*x\.csv$"):
        calibration.load(tmp_path / "x.csv", takes(("x", (1,), None)), None)
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(
        DataError, match=r"holds one array, and net takes 2 inputs: give a \.npz with"
    ):
        calibration.load(tmp_path / "x.npy", takes(*TEXTS), None)

"""Which files of a folder are pictures."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from compress.errors import DataError
from compress.tasks import folders


def _write(root: Path, *names: str, data: bytes | None = None) -> None:
    """Write files, pictures by default."""
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, "png")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(stream.getvalue() if data is None else data)


def _found(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in folders.pictures(root)[0]]


def test_what_systems_leave_behind_does_not_count(tmp_path: Path) -> None:
    _write(tmp_path, "a.png", "b.JPG", "._a.png", ".hidden/c.png", "__MACOSX/a.png")
    _write(tmp_path, "@eaDir/a.png", "sub/.DS_Store", "Thumbs.db", "lost+found/x.png")
    assert _found(tmp_path) == ["a.png", "b.JPG"]


def test_the_order_is_torchvisions(tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision.datasets")
    names = ["z.png", "a/b/c.png", "a/z.png", "a.png", "a-b/c.png", "B/c.png", "10.png", "9.png"]
    _write(tmp_path, *(f"class/{name}" for name in names))
    theirs = [path for path, _ in torchvision.ImageFolder(str(tmp_path)).samples]
    assert [str(path) for path in folders.pictures(tmp_path / "class")[0]] == theirs


def test_content_decides_where_the_suffix_says_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "scan", "photo.jpg_large", "x.dat")
    _write(tmp_path, "README", "labels.xyz", "empty", "notes.txt", data=b"no picture")
    _write(tmp_path, "cut.dat", data=b"\x89PNG\r\n")
    _write(tmp_path, "cat.heic", data=b"\0\0\0\x18ftypheic")
    assert _found(tmp_path) == ["photo.jpg_large", "scan", "x.dat"]
    assert [path.name for path in folders.pictures(tmp_path)[1]] == ["cat.heic"]


def test_links_are_followed_and_lead_nowhere_twice(tmp_path: Path) -> None:
    _write(tmp_path, "outside/a.png", "inside/b.png")
    for name, target in (("far", tmp_path / "outside"), ("round", tmp_path / "inside")):
        (tmp_path / "inside" / name).symlink_to(target)
    (tmp_path / "inside" / "one.png").symlink_to(tmp_path / "outside" / "a.png")
    assert _found(tmp_path / "inside") == ["b.png", "one.png", "far/a.png"]


def test_a_link_to_what_a_class_stands_in_brings_no_other_class(tmp_path: Path) -> None:
    _write(tmp_path, "test/a/1.png", "test/b/2.png", "test/a/below/3.png")
    for place in ("test/a/loop", "test/a/below/loop"):
        (tmp_path / place).symlink_to(tmp_path / "test")
    assert _found(tmp_path / "test" / "a") == ["1.png", "below/3.png"]


def test_class_folders(tmp_path: Path) -> None:
    _write(tmp_path, "b/deep/x.png", "cafe\u0301/x.png", "caf\u00e9/y.png", "Z/x.png")
    (tmp_path / "empty/below").mkdir(parents=True)
    found = folders.class_folders(tmp_path)
    assert list(found) == ["Z", "b", "caf\u00e9"]
    assert len(found["caf\u00e9"]) == 2
    assert folders.class_folders(tmp_path / "gone") == {}


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/\xff")  # noqa: PTH102 (a path is text)
    except OSError:
        pytest.skip("this file system takes text only")
    _write(next(tmp_path.iterdir()), "a.png")
    assert list(folders.class_folders(tmp_path)) == ["\ufffd"]


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    _write(tmp_path, "class/a.png")
    (tmp_path / "class").chmod(0)
    if os.access(tmp_path / "class", os.R_OK):
        pytest.skip("root reads any folder")
    with pytest.raises(DataError, match=r"class cannot be read: Permission denied"):
        folders.class_folders(tmp_path)

"""Folders of a user, also of one without a home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress import places
from compress.errors import OutputError


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a home or a name, as `docker run --user 12345` has it."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "COMPRESS_CACHE", "COMPRESS_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPRESS_CACHE", "COMPRESS_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert places.cache() == Path("/home/somebody/.cache/compress")
    assert places.data() == Path("/home/somebody/.cache/compress/data")
    monkeypatch.setenv("COMPRESS_CACHE", "/big")
    assert (places.cache(), places.data()) == (Path("/big"), Path("/big/data"))
    monkeypatch.setenv("COMPRESS_DATA", "/sets")
    assert (places.data(), places.data("here")) == (Path("/sets"), Path("here"))


def test_a_user_without_a_home_has_a_folder_of_its_own(nobody: Path) -> None:
    place = places.cache()
    assert place.parent == nobody
    assert place.stat().st_mode & 0o777 == 0o700
    assert places.data() == place / "data"  # made once, then the same


def test_a_folder_that_others_can_write_is_not_taken(nobody: Path) -> None:
    place = places.cache()
    place.chmod(0o777)
    with pytest.raises(OutputError, match="is not this user's alone; set HOME or COMPRESS_CACHE"):
        places.cache()
    place.rmdir()
    (nobody / "elsewhere").mkdir(mode=0o700)
    place.symlink_to(nobody / "elsewhere")
    with pytest.raises(OutputError, match="is not this user's alone"):
        places.cache()


def test_no_place_at_all(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(OutputError, match=r"^no place for files that are kept: .*COMPRESS_CACHE$"):
        places.cache()


def test_temporary_folders_by_user(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getuid")  # Windows
    assert places.temporary() == nobody / "compress"

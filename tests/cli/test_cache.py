"""`compress cache`: what is kept is told and removed, and what cannot be is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.pipeline.cache import Cache
from tests.cli.console import compress

STATE = bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path))
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", "1048576")


def kept(*keys: str) -> int:
    """Keep a state under each key; return the bytes of all files."""
    for key in keys:
        Cache().keep(key, {}, STATE)
    return sum(path.stat().st_size for path in Cache().folder.iterdir())


def test_it_is_told(tmp_path: Path) -> None:
    n_bytes = kept("a")
    assert compress("cache", "--json").json() == {
        "folder": str(tmp_path / "stages"),
        "entries": 1,
        "bytes": n_bytes,
        "limit_bytes": 1 << 20,
        "removed_bytes": 0,
    }
    assert compress("cache").out == (
        f"1 stage, 2.17 KiB of at most 1.00 MiB ($COMPRESS_CACHE_BYTES) in {tmp_path / 'stages'}\n"
    )


def test_it_is_cleared(tmp_path: Path) -> None:
    n_bytes = kept("a", "b")
    done = compress("cache", "--clear", "--json").json()
    assert (done["entries"], done["bytes"], done["removed_bytes"]) == (2, n_bytes, n_bytes)
    assert list((tmp_path / "stages").iterdir()) == []
    assert compress("cache", "--clear").out == (
        f"removed 0 stages, 0 B from {tmp_path / 'stages'}\n"
    )


def test_where_nothing_was_kept_none_is_made(tmp_path: Path) -> None:
    assert compress("cache", "--json").json()["entries"] == 0
    assert compress("cache", "--clear").code == 0
    assert not (tmp_path / "stages").exists()


def test_what_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    kept("b")
    (tmp_path / "stages" / "a.json").mkdir()
    said = compress("cache", "--clear").error()
    assert said.startswith(f"cannot remove {tmp_path / 'stages' / 'a.json'}: ")
    assert [path.name for path in (tmp_path / "stages").iterdir()] == ["a.json"]


def test_a_limit_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", "1 GiB")
    said = compress("cache").error()
    assert said == "$COMPRESS_CACHE_BYTES must be a number of bytes, got '1 GiB'"


def test_a_file_in_place_of_the_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "stages").write_text("no folder")
    assert compress("cache", "--json").json()["entries"] == 0

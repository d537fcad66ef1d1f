"""What stages left: found by key, whole or not at all, within a limit, by several runs at once."""

from __future__ import annotations

import errno
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compress.errors import OutputError, SettingsError
from compress.pipeline.cache import Cache, key_of
from tests.cli.console import spawn

STATE = bytes(range(256)) * 8


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "stages")


def test_what_was_kept_is_found(cache: Cache) -> None:
    assert cache.find("a") is None
    cache.keep("a", {"bits": 5}, STATE)
    cache.keep("b", {"bits": 6}, None)
    found, bare = cache.find("a"), cache.find("b")
    assert found is not None
    assert bare is not None
    assert (found.record["bits"], found.state) == (5, STATE)
    assert (bare.record, bare.state) == ({"bits": 6}, None)


def test_a_key_names_all_that_decides() -> None:
    keys = [key_of(*decides) for decides in ((1, "a"), (1, "b"), ([1], "a"), ("1", "a"), (1,))]
    assert len({*keys}) == 5
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "gone"])
def test_what_is_damaged_is_told_and_never_trusted(
    ending: str, damage: str, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.keep("a", {"bits": 5}, STATE)
    path = cache.folder / f"a{ending}"
    whole = bytearray(path.read_bytes())
    flipped = whole.copy()
    flipped[len(whole) // 2] ^= 1
    match damage:
        case "gone":
            path.unlink()
        case _:
            path.write_bytes(bytes({"cut": whole[:-1], "bit": flipped, "empty": b""}[damage]))
    with caplog.at_level(logging.WARNING):
        assert cache.find("a") is None
    is_told = not (damage == "gone" and ending == ".json")  # then there is nothing
    assert [path.name in said for said in caplog.messages] == [True] * is_told
    cache.keep("a", {"bits": 5}, STATE)
    assert cache.find("a") is not None


def test_what_was_found_stays_where_another_run_makes_room(cache: Cache) -> None:
    cache.keep("a", {}, STATE)
    found = cache.find("a")
    Cache(cache.folder).clear()
    assert found is not None
    assert found.state == STATE


def test_what_was_used_longest_ago_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", str(3 * len(STATE)))
    for number, key in enumerate("abc"):
        Cache(tmp_path).keep(key, {}, STATE)
        for path in tmp_path.glob(f"{key}.*"):
            os.utime(path, (number, number))
    assert [*Cache(tmp_path).entries()] == ["b", "c"]
    assert Cache(tmp_path).find("b") is not None  # which uses it
    Cache(tmp_path).keep("d", {}, STATE)
    assert [*Cache(tmp_path).entries()] == ["b", "d"]


def test_what_a_run_uses_stays_beyond_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", "10")
    cache = Cache(tmp_path)
    for key in "ab":
        cache.keep(key, {}, STATE)
    assert {*cache.entries()} == {"a", "b"}


@pytest.mark.parametrize("limit", ["8 GiB", "-1", "1.5"])
def test_a_limit_is_a_number(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", limit)
    with pytest.raises(SettingsError, match=r"^\$COMPRESS_CACHE_BYTES must be a number of bytes"):
        Cache()


def test_where_there_is_no_room_a_run_goes_on(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OutputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("compress.files.write_bytes", full)
    with caplog.at_level(logging.WARNING):
        for key in "ab":
            assert cache.keep(key, {"bits": 5}, STATE).record["bits"] == 5
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("stages are not kept, so this run cannot be resumed: ")
    assert cache.find("a") is None


def test_the_user_s_cache_or_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    assert Cache.or_in(tmp_path / "own").folder == tmp_path / "cache" / "stages"
    assert not caplog.messages
    monkeypatch.setenv("COMPRESS_CACHE", "/proc/nowhere")
    assert Cache.or_in(tmp_path / "own").folder == tmp_path / "own"
    (said,) = caplog.messages
    assert said.startswith("cannot write /proc/nowhere/stages/")


def test_a_killed_run_leaves_nothing_that_is_in_the_way(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from compress.pipeline.cache import Cache
replace = Path.replace
def killed(self, target):
    if Path(target).suffix == ".json":
        os.kill(os.getpid(), 9)
    return replace(self, target)
Path.replace = killed
Cache(Path(sys.argv[1])).keep("a", {}, b"state")
"""
    assert spawn(script, tmp_path).code == -9
    cache = Cache(tmp_path)
    assert cache.find("a") is None
    cache.keep("a", {"made": "anew"}, STATE)
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.safetensors"}


def test_several_runs_at_once_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import logging, sys
from pathlib import Path
from compress.pipeline.cache import Cache
logging.disable()
for turn in range(30):
    cache = Cache(Path(sys.argv[1]))
    for key in "abcdef":
        found = cache.find(key)
        assert found is None or found.state == key.encode() * 1000, key
        if found is None:
            cache.keep(key, {}, key.encode() * 1000)
    if turn % 10 == 9:
        cache.clear()
"""
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", "3000")
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: spawn(script, tmp_path), range(3)))
    assert [one.code for one in done] == [0, 0, 0], done


def test_clearing_removes_what_killed_runs_were_writing(cache: Cache) -> None:
    cache.keep("a", {}, STATE)
    n_bytes = sum(cache.entries().values())
    (cache.folder / f".compress-{16 * 'a'}.part").write_bytes(STATE)
    assert cache.clear() == n_bytes
    assert list(cache.folder.iterdir()) == []


def test_what_is_not_a_stage_s_is_left_alone(cache: Cache) -> None:
    cache.keep("a", {}, STATE)
    (cache.folder / "notes.txt").write_bytes(STATE)
    assert [*cache.entries()] == ["a"]
    cache.clear()
    assert [path.name for path in cache.folder.iterdir()] == ["notes.txt"]


def test_what_cannot_be_removed_is_told(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep("a", {}, STATE)
    refuse(monkeypatch)
    with pytest.raises(OutputError, match=r"^cannot remove .*a\.json: Operation not permitted$"):
        cache.clear()


def test_room_that_cannot_be_made_ends_no_run(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.keep("a", {}, STATE)
    monkeypatch.setenv("COMPRESS_CACHE_BYTES", "10")
    refuse(monkeypatch)
    Cache(cache.folder).keep("b", {}, STATE)
    assert {*cache.entries()} == {"a", "b"}


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no stage's file be removed, as on a file system that is read-only."""
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.suffix in (".json", ".safetensors"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)

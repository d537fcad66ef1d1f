"""Folders in shared memory: gone at the end, and what killed processes left, at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compress.runtime import folder

HELD = (
    "import sys, time; from pathlib import Path; from compress.runtime.folder import temporary\n"
    "with temporary(Path(sys.argv[1])) as path:\n"
    "    (path / '0').write_bytes(b'0' * 9999); print(path, flush=True); time.sleep(300)"
)


def test_a_folder_is_gone_at_the_end(tmp_path):
    with folder.temporary(tmp_path) as path:
        (path / "graph.onnx").write_bytes(b"1")
        (path / "17").write_bytes(b"2")
        assert path.parent == tmp_path
    with pytest.raises(ZeroDivisionError), folder.temporary(tmp_path):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_and_a_living_one_keeps_its_own(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HELD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        left = Path(process.stdout.readline().strip())
        folder.clear(tmp_path)
        assert (left / "0").exists()
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
        assert (left / "0").exists()
        with folder.temporary(tmp_path) as path:
            assert [*tmp_path.iterdir()] == [path]
    finally:
        process.kill()
        process.communicate()


def test_nothing_of_others_is_removed(tmp_path):
    """Not a folder of another name, nor a file in ours that is not, nor what a link names."""
    mine, named, linked = (tmp_path / name for name in ("mine", "other", f"{folder._PREFIX}link"))
    for place in (mine, named):
        place.mkdir()
        (place / ".lock").touch()
        (place / "0").touch()
    linked.symlink_to(mine)
    full = tmp_path / f"{folder._PREFIX}full"
    full.mkdir()
    (full / "thesis.txt").touch()
    begun = tmp_path / f"{folder._PREFIX}begun"
    begun.mkdir()
    dead = tmp_path / f"{folder._PREFIX}dead"
    dead.mkdir()
    for name in (".lock", "0", "graph.onnx", "thesis.txt"):
        (dead / name).touch()
    folder.clear(tmp_path)
    assert (mine / "0").exists()
    assert (named / "0").exists()
    assert linked.is_symlink()
    assert (full / "thesis.txt").exists()
    assert [entry.name for entry in dead.iterdir()] == ["thesis.txt"]
    assert not begun.exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_what_another_user_left_stays(tmp_path, monkeypatch):
    dead = tmp_path / f"{folder._PREFIX}dead"
    dead.mkdir()
    (dead / ".lock").touch()
    monkeypatch.setattr(os, "getuid", lambda: dead.stat().st_uid + 1)
    folder.clear(tmp_path)
    assert (dead / ".lock").exists()


def test_a_place_that_is_not_there(tmp_path):
    folder.clear(tmp_path / "none")
    with pytest.raises(OSError, match="none"), folder.temporary(tmp_path / "none"):
        pass

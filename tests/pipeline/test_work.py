"""The work folder of a run: what is kept, and what of it is trusted."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from compress.errors import OutputError
from compress.pipeline.work import Work
from tests.cli.console import spawn

WHAT = {"recipe": "model: a", "versions": {"torch": "2"}}


def begun(folder: Path) -> Work:
    work = Work(folder)
    work.begin(WHAT)
    return work


def done(folder: Path) -> None:
    """A stage that made a file in the work folder and one beside it."""
    with closing(begun(folder)) as work, work.stage("export") as record:
        record["params"] = 3
        work.save_arrays("inputs", {"0": np.arange(4)})
        (folder / "net.onnx").write_bytes(b"graph")
        work.made(folder / "net.onnx")


def test_one_run_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with closing(Work(tmp_path)), pytest.raises(OutputError, match="another run is at work"):
        Work(tmp_path)
    Work(tmp_path).close()


def test_a_killed_run_does_not_keep_the_folder(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from compress.pipeline.lock import FolderLock
held = FolderLock(Path(sys.argv[1]))
os.kill(os.getpid(), 9)
"""
    assert spawn(script, tmp_path).code == -9
    Work(tmp_path).close()


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link"])
def test_a_folder_that_cannot_be_is_told(kind: str, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("in the way")
    link.symlink_to(tmp_path / "none")
    out = {"file": file, "below a file": file / "run", "dangling link": link}[kind]
    with pytest.raises(OutputError, match=r"cannot write .*; free or choose another place"):
        Work(out)


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    done(tmp_path / "link")
    with closing(Work(tmp_path / "real")) as work:
        assert work.facts("export") is not None


def test_what_is_done_is_there_again(tmp_path: Path) -> None:
    done(tmp_path)
    with closing(Work(tmp_path)) as work:
        assert work.is_begun
        assert work.begun() == WHAT
        facts = work.facts("export")
        assert facts is not None
        assert facts["params"] == 3
        assert work.load_arrays("inputs")["0"].tolist() == [0, 1, 2, 3]
        assert work.facts("pack") is None


def test_a_run_that_did_nothing_leaves_nothing(tmp_path: Path) -> None:
    begun(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_what_began_is_removed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run which is killed while it cleans up is never gone on with."""
    done(tmp_path)
    work = Work(tmp_path)

    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", fail)
    with pytest.raises(OutputError, match="Permission denied"):
        work.discard()
    assert work.path("export.json").exists()
    assert not work.is_begun
    work.close()


CONTENTS = {
    "empty": b"",
    "braces": b"{}",
    "list": b"[1]",
    "cut": b'{"a": ',
    "bytes": b"\xff\x00",
    "earlier version": b'{"params":3,"seconds":0.1,"peak_rss_bytes":1}',
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_damaged_record_is_told_and_not_trusted(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done(tmp_path)
    (tmp_path / ".work" / "export.json").write_bytes(content)
    (tmp_path / ".work" / "begun.json").write_bytes(content)
    with closing(Work(tmp_path)) as work, caplog.at_level(logging.WARNING):
        assert work.is_begun
        assert work.begun() is None
        assert work.facts("export") is None
        assert work.facts("export") is None
    (said,) = caplog.messages
    assert said.startswith("stage export is done anew: ")
    assert "export.json is damaged" in said


@pytest.mark.parametrize("name", [".work/export.json", ".work/inputs.safetensors", "net.onnx"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_stage_is_done_only_with_all_its_files_as_they_were(
    name: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done(tmp_path)
    place = tmp_path / name
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    match damage:
        case "bit":
            place.write_bytes(bytes(data))
        case "cut":
            place.write_bytes(bytes(data[:-1]))
        case _:
            place.unlink()
    with closing(Work(tmp_path)) as work:
        assert work.facts("export") is None
    is_told = not (damage == "gone" and name.endswith(".json"))
    assert [place.name in said for said in caplog.messages] == [True] * is_told

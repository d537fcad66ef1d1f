"""Files appear whole or not at all, whatever fails on the way."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from compress import files
from compress.errors import OutputError
from compress.files import (
    Target,
    anything,
    guard,
    nothing,
    require_writable,
    write_bytes,
    write_text,
    writing,
    writing_all,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders(tmp_path):
    write_bytes(tmp_path / "a" / "b", b"\0\xff")
    write_text(tmp_path / "a" / "c", "ä\n")
    assert (tmp_path / "a" / "b").read_bytes() == b"\0\xff"
    assert (tmp_path / "a" / "c").read_bytes() == "ä\n".encode()
    assert names(tmp_path / "a") == ["b", "c"]


def test_the_process_chooses_the_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_permissions_hold_from_the_start(tmp_path):
    with writing(tmp_path / "a", mode=0o600):
        (temporary,) = tmp_path.iterdir()
        assert temporary.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_what_is_there_can_be_kept(tmp_path):
    write_bytes(tmp_path / "a", b"old", over=nothing)
    with pytest.raises(OutputError, match=r"another file of 3 bytes is there; .* or --force"):
        write_bytes(tmp_path / "a", b"new", over=nothing)
    with pytest.raises(OutputError, match="another file"), writing(tmp_path / "b", over=nothing):
        write_bytes(tmp_path / "b", b"came in the meantime")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "b").read_bytes() == b"came in the meantime"
    assert names(tmp_path) == ["a", "b"]


def test_an_empty_file_and_the_same_bytes_give_way_to_all(tmp_path):
    for old in (b"", b"new"):
        (tmp_path / "a").write_bytes(old)
        write_bytes(tmp_path / "a", b"new", over=nothing)
        assert (tmp_path / "a").read_bytes() == b"new"


def test_who_writes_says_what_gives_way(tmp_path):
    def known(path):
        return path.read_bytes().startswith(b"ours")

    (tmp_path / "a").write_bytes(b"ours, 1")
    write_bytes(tmp_path / "a", b"ours, 2", over=known)
    (tmp_path / "a").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="another file"):
        write_bytes(tmp_path / "a", b"ours, 3", over=known)
    assert (tmp_path / "a").read_bytes() == b"theirs"


def test_what_is_read_only_stays_unless_it_is_forced(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(OutputError, match="read-only"):
        write_bytes(tmp_path / "a", b"new", over=lambda path: True)
    write_bytes(tmp_path / "a", b"new", over=anything)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_bytes(tmp_path / "a", b"old", over=nothing)
    with pytest.raises(OutputError, match="another file"):
        write_bytes(tmp_path / "a", b"new", over=nothing)
    with writing_all(Target(path=tmp_path / "a"), Target(path=tmp_path / "b")) as streams:
        for stream in streams:
            stream.write(b"new")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"new"
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("old", [None, b"old"])
def test_files_appear_together_or_not_at_all(tmp_path, late, old):
    """Whichever of two cannot get its name, since a folder has it by then."""
    paths = [tmp_path / "a", tmp_path / "b"]
    if old is not None:
        paths[1 - late].write_bytes(old)
    with (  # noqa: PT012
        pytest.raises(OutputError, match=f"cannot write {paths[late]}"),
        writing_all(*(Target(path=path) for path in paths)) as streams,
    ):
        for stream in streams:
            stream.write(b"new")
        paths[late].mkdir()
    paths[late].rmdir()
    assert [path.read_bytes() for path in paths if path.exists()] == [old] * (old is not None)
    assert names(tmp_path) == [paths[1 - late].name] * (old is not None)


def test_the_last_of_several_gives_way_first_and_comes_back_after_a_failure(tmp_path, monkeypatch):
    """The disk fails when the first gets its name."""
    paths = [tmp_path / "data", tmp_path / "model"]
    for path in paths:
        path.write_bytes(b"old")
    replace, there = Path.replace, []

    def failing(self, target):
        there.append(names(tmp_path))
        if len(there) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with (  # noqa: PT012
        pytest.raises(OutputError, match="Input/output error"),
        writing_all(*(Target(path=path) for path in paths)) as streams,
    ):
        for stream in streams:
            stream.write(b"new")
    assert "model" not in there[0]
    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert names(tmp_path) == ["data", "model"]


def test_a_guard_looks_before_the_work(tmp_path):
    source, other = tmp_path / "source", tmp_path / "other"
    source.write_bytes(b"source")
    other.write_bytes(b"other")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "again").hardlink_to(source)
    for target in (source, tmp_path / "link", tmp_path / "again"):
        with pytest.raises(OutputError, match="would overwrite what is read"):
            guard(target, sources=(other, source), over=anything)
    with pytest.raises(OutputError, match="another file of 5 bytes"):
        guard(other, sources=(source,), over=nothing)
    guard(other, sources=(source,), over=anything)
    guard(other, sources=(source,))  # its bytes may be the same
    guard(tmp_path / "new" / "folder" / "a", over=nothing)
    assert names(tmp_path) == ["again", "link", "other", "source"]


def test_a_guard_tells_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for target, said in (
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "device or a pipe"),
        (Path("/dev/null"), "device or a pipe"),
        (tmp_path / "file" / "a", "Not a directory"),
        (tmp_path / ("a" * 300), "name too long"),
    ):
        with pytest.raises(OutputError, match=said):
            guard(target, over=nothing)


def test_links_are_followed_before_it_is_asked_what_is_there(tmp_path):
    (tmp_path / "weights").write_bytes(b"precious")
    (tmp_path / "to").symlink_to(tmp_path / "weights")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    with pytest.raises(OutputError, match=r"cannot write .*to: another file"):
        write_bytes(tmp_path / "to", b"new", over=nothing)
    write_bytes(tmp_path / "dangling", b"new", over=nothing)
    assert (tmp_path / "none").read_bytes() == b"new"
    assert (tmp_path / "weights").read_bytes() == b"precious"


KILLED = """
import os, signal, sys
from pathlib import Path
from compress.files import writing
with writing(Path(sys.argv[1])) as stream:
    stream.write(bytes(1 << 16))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_cleared_and_what_a_live_one_writes_is_not(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert killed.returncode < 0
    assert len(names(tmp_path)) == 1
    (tmp_path / ".0123456789abcdef.part").write_bytes(b"another program's")
    with writing(tmp_path / "b") as alive:
        alive.write(b"alive")
        write_bytes(tmp_path / "c", b"")
    assert names(tmp_path) == [".0123456789abcdef.part", "b", "c"]


def test_without_locks_nothing_of_others_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    left = tmp_path / f".compress-{'0' * 16}.part"
    left.write_bytes(b"")
    write_bytes(tmp_path / "a", b"a")
    assert names(tmp_path) == [left.name, "a"]


def test_folders_that_were_made_for_nothing_do_not_stay(tmp_path):
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "new" / "folder" / "a"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "a") as stream:  # noqa: PT012
        stream.write(b"new")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_until_the_end_the_old_file_stands(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with writing(tmp_path / "a") as stream:
        stream.write(b"new")
        stream.flush()
        assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    write_bytes(tmp_path / "data" / "a", b"old")
    (tmp_path / "link").symlink_to(tmp_path / "data" / "a")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "data" / "a").read_bytes() == b"new"
    assert names(tmp_path / "data") == ["a"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    with pytest.raises(OutputError, match="choose another place"):
        write_bytes(tmp_path, b"")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe"):
        write_bytes(tmp_path / "pipe", b"")
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["pipe"]


def test_a_folder_that_cannot_be(tmp_path):
    write_bytes(tmp_path / "a", b"")
    with pytest.raises(OutputError, match=r"cannot write .*a/b: "):
        write_bytes(tmp_path / "a" / "b", b"")
    with pytest.raises(OutputError, match="cannot write /proc/nowhere/b"):
        write_bytes(Path("/proc/nowhere/b"), b"")


def test_a_place_is_tried_before_the_work(tmp_path):
    require_writable(tmp_path / "new" / "a")
    assert names(tmp_path / "new") == []
    with pytest.raises(OutputError, match="cannot write /proc/nowhere/b"):
        require_writable(Path("/proc/nowhere/b"))


def test_a_name_that_is_too_long(tmp_path):
    write_bytes(tmp_path / ("a" * 255), b"")
    with pytest.raises(OutputError, match="name too long"):
        write_bytes(tmp_path / ("a" * 256), b"")
    assert names(tmp_path) == ["a" * 255]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run as another user")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_bytes(tmp_path / "locked" / "a", b"")


def test_a_full_disk(tmp_path):
    """A limit on the size of files fails a write as a full disk does, half way through."""
    code = (
        "import sys; from pathlib import Path; from compress.files import write_bytes;"
        "from compress.errors import OutputError\n"
        "try: write_bytes(Path(sys.argv[1]), bytes(1 << 20))\n"
        "except OutputError as error: print(error)"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "a")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert names(tmp_path) == []

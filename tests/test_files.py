"""Files appear whole or not at all, whatever fails on the way."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from compress.errors import OutputError
from compress.files import require_writable, write_bytes, write_text, writing


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
    with writing(tmp_path / "a", replace=False) as stream:
        stream.write(b"old")
    with pytest.raises(OutputError, match="there already"), writing(tmp_path / "a", replace=False):
        pass
    with (
        pytest.raises(OutputError, match="File exists"),
        writing(tmp_path / "b", replace=False),
    ):
        write_bytes(tmp_path / "b", b"came in the meantime")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "b").read_bytes() == b"came in the meantime"
    assert names(tmp_path) == ["a", "b"]


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

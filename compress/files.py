"""Files that appear whole or not at all, and take the place of nothing that is not theirs."""

from __future__ import annotations

import errno
import filecmp
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from compress.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

Over = Callable[[Path], bool]  # whether a file that is there may give way

_PART = re.compile(r"\.compress-[0-9a-f]{16}\.part")  # a file that is not whole yet
# What a file system says that has no hard links.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


def anything(path: Path) -> bool:
    """Let any file give way: it was asked for, or the file is the program's own."""
    return True


def nothing(path: Path) -> bool:
    """Let no file give way."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file that is going to be written."""

    path: Path
    mode: int = 0o666  #: permissions from the first byte on, less those that the process withholds
    over: Over = anything  #: an empty file, or one with the very same bytes, always gives way


def guard(target: Path, *, sources: Iterable[Path] = (), over: Over | None = None) -> None:
    """Raise `OutputError` where a file cannot or must not be written, before the work for it.

    Nothing is written yet; `writing` looks again when the file is whole.

    Args:
        target: the file.
        sources: the files that are read, none of which is ever replaced.
        over: whether a file that is there may give way; None where that is judged by `writing`
            alone, since its bytes may be the same.
    """
    try:
        for source in sources:
            if target.exists() and source.exists() and target.samefile(source):
                raise OutputError(f"{target} would overwrite what is read; choose another target")
        place = _place(target)
        if over is not None and place.exists():
            _require_way(target, place, over)
        folder = place.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _refused(folder)
    except OSError as error:
        raise _cannot_write(target, error) from error


@contextmanager
def writing(path: Path, *, mode: int = 0o666, over: Over = anything) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` and rename it to `path` on a clean exit.

    Args:
        path: of the file; its folder is made where there is none.
        mode: its permissions from the first byte on, less those that the process withholds.
        over: whether a file that is there may give way. An empty one, or one that has the very
            bytes that were written, does so in any case.

    Raises:
        OutputError: when the folder cannot be written, the disk is full, or a file is in the way;
            nothing is left behind.
    """
    with writing_all(Target(path=path, mode=mode, over=over)) as (stream,):
        yield stream


@contextmanager
def writing_all(*targets: Target) -> Iterator[tuple[IO[bytes], ...]]:
    """Open a temporary file for each target; on a clean exit all get their names, or none does.

    All are whole on the disk before the first gets its name, and they get them in this order. Where
    one before the last takes the place of other bytes, what has the last one's name goes before
    that: the last is what refers to the others, and never stands beside those of another one.

    Raises:
        OutputError: as `writing` does; those that have their names by then are taken back.
    """
    with ExitStack() as stack:
        parts = [stack.enter_context(_part(target)) for target in targets]
        yield tuple(part.stream for part in parts)
        for part in parts:
            part.finish()
        named: list[_Part] = []
        try:
            if len(parts) > 1:
                for part in parts:
                    part.keep_old()
                if any([part.replaces() for part in parts][:-1]) and parts[-1].give_way():
                    named.append(parts[-1])
            for part in parts:
                if part.name():
                    named.append(part)  # noqa: PERF401 (what is named is known when one fails)
        except BaseException:
            for part in reversed(named):
                part.take_back()
            raise
        for folder in {part.place.parent for part in named}:
            _sync(folder)


def require_writable(path: Path) -> None:
    """Make the folder of `path`; raise `OutputError` where no file can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_bytes(path: Path, data: bytes | memoryview, *, over: Over = anything) -> None:
    """Write `data` to `path`, whole or not at all."""
    with writing(path, over=over) as stream:
        stream.write(data)


def write_text(path: Path, text: str, *, over: Over = anything) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode(), over=over)


def clear(folder: Path) -> None:
    """Remove what killed processes left of files that they wrote; those of live ones stay."""
    with suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if _PART.fullmatch(entry.name)]
        for part in left:
            with suppress(OSError):
                _remove_dead(part)


class _Part:
    """A file on its way: written under a name of its own, and locked, so that none clears it."""

    def __init__(self, target: Target, place: Path) -> None:
        self._target = target
        self.place = place
        self._old: Path | None = None
        self._path, self.stream, self._lock = _open(place.parent, target.mode)

    def finish(self) -> None:
        """Bring all bytes to the disk."""
        with _telling(self._target.path):
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()  # Windows renames no file that is open

    def keep_old(self) -> None:
        """Keep the file that is there for `take_back`."""
        with _telling(self._target.path):
            if self.place.exists():
                self._old = _unused(self.place.parent)
                _link_or_copy(self.place, self._old)

    def replaces(self) -> bool:
        """Return whether other bytes are there, which give way; raise where they do not."""
        with _telling(self._target.path):
            if not self.place.exists() or filecmp.cmp(self._path, self.place, shallow=False):
                return False
            _require_way(self._target.path, self.place, self._target.over)
            return True

    def give_way(self) -> bool:
        """Remove the file that is there, which `take_back` brings back; False where none is."""
        with _telling(self._target.path):
            if self._old is None:
                return False
            self.place.unlink(missing_ok=True)
            return True

    def name(self) -> bool:
        """Give the file its name; False where the very same bytes are there already."""
        with _telling(self._target.path):
            if self._target.over is not anything:
                if _linked(self._path, self.place):
                    return True
                if filecmp.cmp(self._path, self.place, shallow=False):
                    return False
                _require_way(self._target.path, self.place, self._target.over)
            self._path.replace(self.place)
            return True

    def take_back(self) -> None:
        """Undo `name`."""
        with suppress(OSError):
            if self._old is not None:
                self._old.replace(self.place)
            else:
                self.place.unlink()

    def close(self) -> None:
        """Leave nothing but the file itself."""
        for path in (self._path, self._old):
            if path is not None:
                with suppress(OSError):
                    path.unlink()
        with suppress(OSError):
            self.stream.close()
        if self._lock is not None:
            os.close(self._lock)


@contextmanager
def _part(target: Target) -> Iterator[_Part]:
    with _telling(target.path):
        place = _place(target.path)
        with _folder(place.parent):
            clear(place.parent)
            part = _Part(target, place)
            try:
                yield part
            finally:
                part.close()


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def _place(path: Path) -> Path:
    """Return where a file goes: a link stays, what it points to is replaced."""
    if path.exists() and not path.is_file():  # /dev/stdout points to what has no path
        raise _no_file(path)
    return Path(os.path.realpath(path))


def _require_way(path: Path, place: Path, over: Over) -> None:
    """Raise `OutputError` unless the file that is there gives way."""
    there = place.stat()
    if there.st_size == 0:  # as tempfile and mktemp make it
        return
    if not over(place):
        raise OutputError(
            f"cannot write {path}: another file of {there.st_size:,} bytes is there; choose "
            "another place, or --force to replace it"
        )
    if over is not anything and not there.st_mode & stat.S_IWUSR:
        raise OutputError(
            f"cannot write {path}: it is there and read-only; choose another place, or --force to "
            "replace it"
        )


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder and those that it is in; where what follows fails they are not left."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    try:
        for below in reversed(missing):
            below.mkdir(exist_ok=True)
        yield
    except BaseException:
        for below in missing:
            with suppress(OSError):
                below.rmdir()
        raise


def _unused(folder: Path) -> Path:
    return folder / f".compress-{secrets.token_hex(8)}.part"


def _open(folder: Path, mode: int) -> tuple[Path, IO[bytes], int | None]:
    """Open a new file, locked for as long as the descriptor that is returned is open."""
    while True:
        path = _unused(folder)
        stream = open(path, "xb", opener=lambda name, how: os.open(name, how, mode))  # noqa: SIM115
        try:
            lock = _lock(stream.fileno())
        except OSError:
            stream.close()
            path.unlink()
            raise
        if path.exists():
            return path, stream, lock
        stream.close()  # cleared by another process before it was locked
        if lock is not None:
            os.close(lock)


def _lock(descriptor: int) -> int | None:
    """Lock a file until what is returned is closed, beyond the closing of `descriptor` itself."""
    if fcntl is None:
        return None
    held = os.dup(descriptor)
    with suppress(OSError):  # a file system without locks: no other process gets one to clear it
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _remove_dead(part: Path) -> None:
    """Remove a file that is not whole; raise `OSError` where a process is at work on it."""
    if fcntl is None:
        if os.name == "nt":
            part.unlink()
        return
    descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
    finally:
        os.close(descriptor)


def _linked(part: Path, place: Path) -> bool:
    """Give a file its name unless there is one of that name, in one step where that can be."""
    try:
        if os.name == "nt":
            part.rename(place)
        else:
            os.link(part, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if place.exists():
            return False
        part.replace(place)
    return True


def _link_or_copy(file: Path, to: Path) -> None:
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refused(folder: Path) -> OSError:
    """Return why nothing can be written in a folder."""
    read_only = os.name != "nt" and os.statvfs(folder).f_flag & os.ST_RDONLY
    why = errno.EROFS if read_only else errno.EACCES
    return OSError(why, os.strerror(why))


def _no_file(path: Path) -> OutputError:
    what = "a folder" if path.is_dir() else "no file, but a device or a pipe"
    return OutputError(f"cannot write {path}: it is {what}; choose another place")


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {error.strerror or error}; free or choose another place"
    )

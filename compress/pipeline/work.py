"""The work folder of a run: what each stage left, so that a killed run goes on where it was."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.numpy import save as save_arrays

from compress import files
from compress.errors import DataError, OutputError, SettingsError
from compress.measure import memory

_NAME = ".work"  # in the folder of the run


class Work:
    """Facts and weights of the stages that are done."""

    def __init__(self, out: Path, identity: str, *, resume: bool) -> None:
        """Open the folder of a run, or begin it anew.

        Args:
            out: folder of the run.
            identity: of the recipe; a run goes on only with the one it began with.
            resume: keep what an earlier run left.

        Raises:
            SettingsError: when the earlier run had another recipe.
            OutputError: when the folder cannot be written, or another run is at work in it.
        """
        self._folder = out / _NAME
        self._lock = _locked(out)
        try:
            self._open(out, identity, resume=resume)
        except BaseException:
            self.close()
            raise

    def _open(self, out: Path, identity: str, *, resume: bool) -> None:
        known = self.path("recipe.yaml")
        if resume and known.is_file():
            if known.read_text(encoding="utf-8") != identity:
                raise SettingsError(
                    f"{out} holds a run with other settings; resume it with those, "
                    "choose another --out, or leave out --resume"
                )
            return
        self.discard()
        files.write_text(known, identity)

    def close(self) -> None:
        """Let other runs into the folder."""
        os.close(self._lock)

    def path(self, name: str) -> Path:
        """Return where a file of the work folder is."""
        return self._folder / name

    def facts(self, stage: str) -> dict[str, Any] | None:
        """Return what a stage that is done has left, else None."""
        path = self.path(f"{stage}.json")
        if not path.is_file():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise DataError(f"{path} is damaged: {error}; leave out --resume") from error

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put into the record is kept when it ends."""
        memory.reset_peak()
        record: dict[str, Any] = {}
        start = time.perf_counter()
        yield record
        record["seconds"] = time.perf_counter() - start
        record["peak_rss_bytes"] = memory.peak_rss_bytes()
        files.write_bytes(self.path(f"{name}.json"), msgspec.json.encode(record))

    def save_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays by name."""
        plain = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        files.write_bytes(self.path(f"{name}.safetensors"), save_arrays(plain))

    def load_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return what `save_arrays` kept."""
        path = self.path(f"{name}.safetensors")
        try:
            arrays: dict[str, NDArray[Any]] = load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise DataError(f"{path} is damaged: {error}; leave out --resume") from error
        return arrays

    def discard(self) -> None:
        """Remove all that stages left; the recipe first, without which nothing is resumed."""
        try:
            files.clear(self._folder.parent)
            if self._folder.exists():
                self.path("recipe.yaml").unlink(missing_ok=True)
                shutil.rmtree(self._folder)
        except OSError as error:
            raise OutputError(f"cannot remove {self._folder}: {error.strerror}") from error


def _locked(out: Path) -> int:
    """Keep other runs out of a folder for as long as this process lives; return the lock."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise OutputError(
            f"cannot write {out}: {error.strerror}; free or choose another place"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise OutputError(
            f"another run is at work in {out}; wait or choose another --out"
        ) from error
    return lock

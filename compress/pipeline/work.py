"""The work folder of a run: what each stage left, so that a killed run goes on where it was.

A record says what a stage found, and the digest of each file that it made. What is damaged, or was
begun by another version, is told and made anew.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.numpy import save as save_arrays

from compress import files, kept
from compress.errors import DataError, OutputError
from compress.measure import memory
from compress.pipeline.lock import FolderLock

_LOG = logging.getLogger(__name__)

_NAME = ".work"  # in the folder of the run
_BEGUN = "begun.json"  # what the run is; without it nothing is resumed
_OLD = "recipe.yaml"  # what earlier versions had in its place


class Work:
    """Facts and weights of the stages that are done; one run at a time is in a folder."""

    def __init__(self, out: Path) -> None:
        """Keep other runs out of a folder, which is made.

        Raises:
            OutputError: when the folder cannot be written, or another run is at work in it.
        """
        self._out, self._folder = out, out / _NAME
        self._facts: dict[str, dict[str, Any] | None] = {}
        self._made: list[Path] = []
        self._lock = FolderLock(out)

    @property
    def is_begun(self) -> bool:
        """Tell whether an earlier run left something to go on with."""
        names = {path.name for path in self._folder.glob("[!.]*")}
        return bool(names & {_BEGUN, _OLD}) and bool(names - {_BEGUN, _OLD})

    def begun(self) -> dict[str, Any] | None:
        """Return what `begin` was told, else None: damaged, or of an earlier version."""
        try:
            return kept.read_record(self.path(_BEGUN))
        except DataError:
            return None

    def begin(self, what: Mapping[str, Any]) -> None:
        """Begin anew; what a run that was ended has left is removed."""
        self.discard()
        kept.write_record(self.path(_BEGUN), what)

    def close(self) -> None:
        """Let other runs into the folder; remove the work folder if nothing is in it."""
        try:
            if self.path(_BEGUN).exists() and not self.is_begun:
                self.discard()
        finally:
            self._lock.close()

    def path(self, name: str) -> Path:
        """Return where a file of the work folder is."""
        return self._folder / name

    def facts(self, stage: str) -> dict[str, Any] | None:
        """Return what a stage that is done has left, else None; say so where it is damaged."""
        if stage not in self._facts:
            path = self.path(f"{stage}.json")
            self._facts[stage] = self._checked(stage, path) if path.exists() else None
        return self._facts[stage]

    def _checked(self, stage: str, path: Path) -> dict[str, Any] | None:
        try:
            record = kept.read_record(path)
        except DataError as error:
            _LOG.warning("stage %s is done anew: %s", stage, error)
            return None
        for name, digest in record.get("made", {}).items():
            if kept.digest_of(self._out / name) != digest:
                _LOG.warning("stage %s is done anew: %s is damaged", stage, self._out / name)
                return None
        return record

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put into the record is kept when it ends."""
        memory.reset_peak()
        record: dict[str, Any] = {}
        self._made.clear()
        start = time.perf_counter()
        yield record
        record["seconds"] = time.perf_counter() - start
        record["peak_rss_bytes"] = memory.peak_rss_bytes()
        made = ((path.relative_to(self._out).as_posix(), path) for path in self._made)
        record["made"] = {place: kept.digest_of(path) for place, path in made}
        kept.write_record(self.path(f"{name}.json"), record)
        self._facts[name] = record

    def note(self, name: str, what: Mapping[str, Any]) -> None:
        """Keep a word on a stage that was ended; the run can be gone on with."""
        kept.write_record(self.path(f"{name}.ended"), what)

    def made(self, path: Path) -> None:
        """Count a file below the run's folder among those of the stage that is under way."""
        self._made.append(path)

    def save_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays by name."""
        plain = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        path = self.path(f"{name}.safetensors")
        files.write_bytes(path, save_arrays(plain))
        self.made(path)

    def load_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return what `save_arrays` kept, in a stage whose facts are there."""
        arrays: dict[str, NDArray[Any]] = load_file(self.path(f"{name}.safetensors"))
        return arrays

    def discard(self) -> None:
        """Remove all that stages left; first what it is, without which nothing is resumed."""
        self._facts.clear()
        try:
            files.clear(self._out)
            if self._folder.exists():
                for name in (_BEGUN, _OLD):
                    self.path(name).unlink(missing_ok=True)
                shutil.rmtree(self._folder)
        except OSError as error:
            raise OutputError(f"cannot remove {self._folder}: {error.strerror}") from error

"""What stages left, known by its content: reused by other runs, other folders, other recipes.

An entry is a record, KEY.json, and perhaps a network's state, KEY.safetensors; while a stage
trains, KEY.fit is its checkpoint. Each is written whole or not at all, and the record, which comes
last, has the digest of the state. So two runs need no lock: what both make is the same, and what
one removes the other makes anew. What is damaged is told, removed and made anew. Where the cache
cannot be written, a run keeps its stages in its own folder, until it ends.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress import files, kept, places
from compress.errors import DataError, OutputError, SettingsError

_LOG = logging.getLogger(__name__)

_LIMIT_BYTES = 8 << 30
_LIMIT = "COMPRESS_CACHE_BYTES"  # of the environment
_NAME = "stages"  # of the folder
_STATE = "state_sha256"  # in a record
_ENDING = ".safetensors"  # of a state
_ENDINGS = (".json", ".fit", _ENDING)  # of an entry's files; without the first nothing is found
_KEY_DIGITS = 32


def key_of(*decides: Any) -> str:  # noqa: ANN401  (JSON's types)
    """Return the key of what some values decide."""
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a stage left."""

    record: Mapping[str, Any]
    state: bytes | None  #: of the network, read once: another run may remove it


class Cache:
    """The folder of all entries."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open a folder of entries, by default the user's; it is made when it is written."""
        self.folder = folder or places.cache() / _NAME
        self.limit_bytes = _limit()
        self._used: set[str] = set()  # of this run: they stay
        self._can_keep = True

    @classmethod
    def or_in(cls, folder: Path) -> Cache:
        """Return the user's cache, or one in a folder, and say so, where that cannot be written."""
        try:
            cache = cls()
            files.require_writable(cache.folder / f"entry{_ENDING}")
        except OutputError as error:
            _LOG.warning(
                "%s (or set $COMPRESS_CACHE); this run keeps its stages beside its results, and "
                "other runs cannot take them over", error,
            )  # fmt: skip
            return cls(folder)
        return cache

    def find(self, key: str) -> Entry | None:
        """Return what is kept under a key, None where there is nothing or it is damaged."""
        self._used.add(key)
        path = self.folder / f"{key}.json"
        if not path.exists():
            return None
        try:
            record = kept.read_record(path)
            state = _state(path.with_suffix(_ENDING), record)
        except DataError as error:
            if path.exists():  # else another run has made room
                _LOG.warning("a stage is done anew: %s", error)
                self._remove(key)
            return None
        with suppress(OSError):
            os.utime(path)
        return Entry(record, state)

    def keep(self, key: str, record: Mapping[str, Any], state: bytes | None) -> Entry:
        """Keep what a stage left, and return it; where there is no room, say so once and go on."""
        self._used.add(key)
        held = dict(record)
        path = self.folder / f"{key}.json"
        try:
            if state is not None:
                held[_STATE] = hashlib.sha256(state).hexdigest()
                files.write_bytes(path.with_suffix(_ENDING), state)
            kept.write_record(path, held)
            self._make_room()
        except OutputError as error:
            self._remove(key)
            if self._can_keep:
                _LOG.warning("stages are not kept, so this run cannot be resumed: %s", error)
            self._can_keep = False
        return Entry(held, state)

    def checkpoint(self, key: str) -> Path:
        """Return where the training of a stage keeps what it has reached.

        Raises:
            OutputError: when nothing can be kept there: it is told before hours of training.
        """
        self._used.add(key)
        path = self.folder / f"{key}.fit"
        files.require_writable(path)
        return path

    def entries(self) -> dict[str, int]:
        """Return the bytes of each key, that of the oldest use first."""
        found: dict[str, tuple[float, int]] = {}
        for path, size, used in self._files():
            before = found.get(path.stem, (0.0, 0))
            found[path.stem] = max(before[0], used), before[1] + size
        return {key: size for key, (_, size) in sorted(found.items(), key=lambda one: one[1])}

    def clear(self) -> int:
        """Remove all entries, and what killed runs were writing; return the bytes of the entries.

        Raises:
            OutputError: when a file cannot be removed; all others are.
        """
        entries = self.entries()
        stayed = [error for key in entries for error in self._remove(key)]
        files.clear(self.folder)
        if stayed:
            raise OutputError(f"cannot remove {stayed[0].filename}: {stayed[0].strerror}")
        return sum(entries.values())

    def _make_room(self) -> None:
        entries = self.entries()
        total = sum(entries.values())
        for key, size in entries.items():
            if total <= self.limit_bytes:
                return
            if key not in self._used:
                self._remove(key)
                total -= size

    def _remove(self, key: str) -> list[OSError]:
        """Remove an entry's files; return why any of them stay."""
        errors = (_removing(self.folder / f"{key}{ending}") for ending in _ENDINGS)
        return [error for error in errors if error is not None]

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    if path.suffix in _ENDINGS:
                        facts = path.stat()
                        yield path, facts.st_size, facts.st_mtime


def _state(path: Path, record: Mapping[str, Any]) -> bytes | None:
    """Read a network's state, if any; raise `DataError` where it is not what was kept."""
    digest = record.get(_STATE)
    if digest is None:
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DataError(f"{path} is damaged")
    return data


def _removing(path: Path) -> OSError | None:
    """Remove a file, if it is there; return why it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return error
    return None


def _limit() -> int:
    text = os.environ.get(_LIMIT, "")
    if not text:
        return _LIMIT_BYTES
    if not text.isdecimal():
        raise SettingsError(f"${_LIMIT} must be a number of bytes, got {text!r}")
    return int(text)

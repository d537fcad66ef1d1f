"""The folder of a run: what is in it already, whose it is, and what may take its place."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress import files, kept
from compress import recipe as recipes
from compress.artifact.onnx_file import data_beside
from compress.errors import CompressError, FormatError, OutputError, SettingsError, require
from compress.pipeline.work import Work
from compress.recipe import Recipe
from compress.report.data import Report

RECIPE, REPORT, PAGE = "recipe.yaml", "report.json", "report.html"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run is: what is there is gone on with only where all of it is the same."""

    model: str  #: name of the network, and of its files
    recipe: Recipe
    weights: str | None  #: digest of the file that they come from
    data: str | None  #: digest of the samples that decide the result
    versions: Mapping[str, str]  #: of the packages that decide the result

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {
            "model": self.model,
            "recipe": recipes.to_yaml(self.recipe),
            "weights": self.weights,
            "data": self.data,
            "versions": dict(self.versions),
        }


class Folder:
    """A run's folder and its work folder."""

    def __init__(self, out: Path, work: Work, begun: Begun) -> None:
        self.out, self.work, self.begun = out, work, begun
        self.plain, self.packed = (out / name for name in _network(begun.model))
        self._wrote_recipe = False

    def enter(self, *, resume: bool, force: bool) -> Report | None:
        """Begin a run, or go on with it; return the report of one that is done already.

        Raises:
            SettingsError: when what is there would be lost, or is another run's.
            OutputError: when there are files in the way that no run wrote.
        """
        require(not (resume and force), "force", "left out with resume", force)
        report = self._finished()
        if self.work.is_begun:
            if resume:
                self._go_on()
                return None
            self._require(force, "a run that was ended early: --resume goes on with it")
        elif report is not None:
            if resume and self._is_whole(report):
                return report
            words = "the results of a run: --resume shows them again if it is the same run"
            self._require(force or resume, words)
        self._require_free(report)
        self.work.begin(self.begun.to_record())
        if report is None:
            self._write_recipe()
        return None

    def close(self) -> None:
        """Leave the folder as it was where nothing was done that is worth keeping."""
        if self._wrote_recipe and not self.work.is_begun and not (self.out / REPORT).exists():
            with suppress(OSError):
                (self.out / RECIPE).unlink()

    def replace(self) -> None:
        """Remove what an earlier run left, just before the first result takes its place."""
        report = self._finished()
        with suppress(OSError):  # what stays is written over
            for name, digest in (report.files if report is not None else {}).items():
                if kept.digest_of(self.out / name) == digest:
                    (self.out / name).unlink()
            for name in (REPORT, PAGE):
                (self.out / name).unlink(missing_ok=True)
        self._write_recipe()

    def digests(self) -> dict[str, str]:
        """Return the digest of each result by its name."""
        paths = (self.packed, *self.exported, self.out / RECIPE)
        return {path.name: kept.digest_of(path) or "" for path in paths}

    @property
    def exported(self) -> list[Path]:
        """Return the files of the plain network: of 2 GiB or more it is two."""
        return [self.plain, *data_beside(self.plain)]

    def _require(self, ok: bool, holds: str) -> None:
        if not ok:
            raise SettingsError(
                f"{self.out} holds {holds}, --force begins anew over it; or choose another --out"
            )

    def _finished(self) -> Report | None:
        """Return the report that a run ended with, None where none can be read."""
        try:
            return Report.from_json((self.out / REPORT).read_bytes())
        except (OSError, FormatError):
            return None

    def _is_whole(self, report: Report) -> bool:
        """Tell whether a finished run is this one and its files are there.

        Raises:
            SettingsError: when it is another, or its files were changed.
        """
        same = {
            "settings": report.recipe == recipes.to_mapping(self.begun.recipe),
            "weights": report.used.get("weights_sha256") == self.begun.weights,
            "data": report.used.get("data_sha256") == self.begun.data,
        }
        other = [what for what, is_same in same.items() if not is_same]
        if other:
            raise SettingsError(
                f"{self.out} holds the results of a run with other {other[0]}; "
                "choose another --out, or give --force instead of --resume to replace them"
            )
        found = {name: kept.digest_of(self.out / name) for name in report.files}
        changed = [n for n, digest in found.items() if digest not in (None, report.files[n])]
        if not report.files:
            raise SettingsError(
                f"{self.out / REPORT} is of an earlier version and has no digests of its files; "
                "give --force instead of --resume to replace them"
            )
        if changed:
            raise SettingsError(f"{self.out / changed[0]} is not as its run wrote it; move it away")
        missing = [name for name, digest in found.items() if digest is None]
        if missing:
            _LOG.warning("the run is done anew: %s is missing", self.out / missing[0])
        return not missing

    def _go_on(self) -> None:
        """Go on with a run that was ended, where it is this one; what is of no use is told."""
        begun, now = self.work.begun(), self.begun.to_record()
        known = begun if begun is not None else {"recipe": _text(self.out / RECIPE)}
        other = [
            what
            for what, key in (("settings", "recipe"), ("weights", "weights"), ("data", "data"))
            if key in known and known[key] not in (now[key], *([None] if begun is None else []))
        ]
        if other:
            raise SettingsError(
                f"{self.out} holds a run with other {other[0]}; resume it with those, "
                "choose another --out, or give --force instead of --resume to begin anew"
            )
        if begun is None:
            _LOG.warning("the run begins anew: %s is damaged or of an earlier version", self.out)
        elif begun["versions"] != now["versions"]:
            changed = ", ".join(_changes(begun["versions"], now["versions"]))
            _LOG.warning("the run begins anew: it was begun with other versions: %s", changed)
        else:
            return
        self.work.begin(now)

    def _require_free(self, report: Report | None) -> None:
        """Raise `OutputError` where a file is in the way that no run of ours wrote."""
        ours = set(self._ours(report))
        paths = (*self.exported, self.packed, self.out / REPORT, self.out / PAGE)
        for path in paths:
            if path.exists() and path.name not in ours:
                raise OutputError(
                    f"{path} is there and not as a run of this folder wrote it; "
                    "move it away or choose another --out"
                )
        recipe = self.out / RECIPE
        if recipe.exists() and RECIPE not in ours and not self._is_told():
            raise OutputError(
                f"{recipe} is there and has other settings; move it away or choose another --out"
            )

    def _ours(self, report: Report | None) -> Iterator[str]:
        """Yield the names of the files that an earlier run wrote."""
        begun = self.work.begun()
        if begun is not None and _text(self.out / RECIPE) == begun["recipe"]:
            yield RECIPE
        if report is not None:
            yield from (REPORT, PAGE)
            for name in report.files or (*_network(report.model), RECIPE):
                if report.files.get(name) in (None, kept.digest_of(self.out / name)):
                    yield name
        elif begun is not None:  # ended while its results were written
            names = _network(begun["model"])
            yield from (*names, REPORT, PAGE)
            yield from (data.name for data in data_beside(self.out / names[0]))

    def _is_told(self) -> bool:
        """Tell whether the recipe in the folder says what this run does."""
        try:
            return recipes.read(self.out / RECIPE) == self.begun.recipe
        except CompressError:
            return False

    def _write_recipe(self) -> None:
        if not self._is_told():
            files.write_text(self.out / RECIPE, recipes.to_yaml(self.begun.recipe))
            self._wrote_recipe = True


def _network(model: str) -> tuple[str, str]:
    """Return the names of a network's files, plain and packed."""
    return f"{model}.onnx", f"{model}.safetensors"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for package in sorted({*before, *now}):
        was, is_ = before.get(package, "none"), now.get(package, "none")
        if was != is_:
            yield f"{package} {was}, now {is_}"

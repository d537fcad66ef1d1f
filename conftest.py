"""What all tests share: one thread each, data that was laid out, and a word on what was skipped."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

ROOT = Path(__file__).parent
DATA = ROOT / ".data"  # where `make data` lays data sets out
_CACHE: Final = pytest.StashKey[TemporaryDirectory[str]]()

# Before a library makes its threads: a worker for each core leaves none for a second thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if DATA.is_dir():
    os.environ.setdefault("COMPRESS_DATA", str(DATA))


def pytest_configure(config: pytest.Config) -> None:
    """Give the networks that tests train a place of their own; workers inherit it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[_CACHE] = TemporaryDirectory(prefix="compress-cache-")
        os.environ["COMPRESS_CACHE"] = config.stash[_CACHE].name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what was trained."""
    if _CACHE in config.stash:
        config.stash[_CACHE].cleanup()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a reason for what was skipped; the reason says how to have it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("skipped")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} skipped: {reason}")


@pytest.fixture(autouse=True)
def _own_folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's examples write where they run: give them a folder of their own."""
    if request.node.path.name == "README.md":
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))

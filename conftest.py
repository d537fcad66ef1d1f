"""What all tests share: one thread each, data that was laid out, and a word on what was skipped."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

ROOT = Path(__file__).parent
DATA = ROOT / ".data"  # where `make data` lays data sets out
_LOADED = [0]  # modules, when what they hold was last taken out of collections
_CACHE: Final = pytest.StashKey[TemporaryDirectory[str]]()

# What is nothing without torch: left out where the base install is alone (`make test-base`). A test
# of another folder that needs more than the base asks `tests/needs.py`; what is of ONNX files runs.
HAS_TORCH = find_spec("torch") is not None
NEED_TORCH = (
    "compress/constrained.py", "compress/export", "compress/own_loop.py", "compress/passes",
    "compress/pipeline", "compress/references/head.py",
    "compress/tasks/augment.py", "compress/tasks/losses.py", "compress/training",
    "zoo/compress_zoo/networks",
    "tests/cli/test_bad_input.py", "tests/cli/test_run.py",
    "tests/test_constrained.py", "tests/test_declared.py", "tests/test_own_loop.py",
    "tests/export", "tests/passes/*",
    "tests/pipeline/*", "tests/references/exported.py", "tests/references/test_heads.py",
    "tests/references/test_hub.py", "tests/references/test_libraries.py",
    "tests/references/test_module.py", "tests/report", "tests/tasks/test_augment.py",
    "tests/training", "tests/zoo",
)  # fmt: skip

# What a shell starts in the background ignores Ctrl-C, and so would every command that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
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


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs torch where there is none."""
    if HAS_TORCH or collection_path.name.startswith("test_onnx_"):
        return None
    return any(collection_path.match(str(ROOT / name)) for name in NEED_TORCH) or None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a reason for what was skipped; the reason says how to have it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    if reasons or not HAS_TORCH:
        terminalreporter.section("skipped")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} skipped: {reason}")
    if not HAS_TORCH:
        terminalreporter.line(f"left out, since torch is not installed: {', '.join(NEED_TORCH)}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let a collection look at a test's own objects, not at two million of torch each time."""
    if len(sys.modules) > _LOADED[0] + 50:
        _LOADED[0] = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _own_folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's examples write where they run: give them a folder of their own."""
    if request.node.path.name == "README.md":
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))

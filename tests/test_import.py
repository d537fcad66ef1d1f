"""The package in Python: its words, and what importing them does not load."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import numpy as np
import pytest

import compress
from compress.errors import CompressError
from tests import needs
from tests.cli.console import spawn
from tests.cli.runs import small_run

# Packages that run where torch is not installed, and the parts of them that do.
LIGHT = """
import importlib, json, pkgutil, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "sklearn", "accelerate"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import compress, compress_zoo
for package in ("artifact", "codecs", "kernels", "runtime", "measure", "cli", "report"):
    held = importlib.import_module(f"compress.{package}")
    for found in pkgutil.iter_modules(held.__path__, held.__name__ + "."):
        importlib.import_module(found.name)
import compress.passes.onnx_network, compress.references
for found in pkgutil.walk_packages(compress_zoo.__path__, "compress_zoo."):
    if not found.name.startswith("compress_zoo.networks."):  # imported where a network is built
        importlib.import_module(found.name)
"""


def test_importing_the_package_loads_little() -> None:
    script = """
import sys, compress
heavy = {"torch", "numpy", "numba", "onnx", "onnxruntime", "PIL"}
print(sorted(heavy & set(sys.modules)), compress.runtime.load.__name__, "torch" in sys.modules)
"""
    done = spawn(script)
    assert (done.code, done.out, done.err) == (0, "[] load False\n", "")


def test_a_function_has_no_modules_name() -> None:
    """Importing `compress.NAME` would put the module in the function's place."""
    modules = {found.name for found in pkgutil.iter_modules(compress.__path__)}
    assert modules & set(compress.__all__) == {"runtime", "tasks"}
    assert set(compress._LATER) <= set(compress.__all__)


@pytest.mark.parametrize(
    "first",
    [
        "import compress.constrained", "import compress.own_loop", "import compress.passes.prune",
        "import compress; compress.prune; import compress.constrained, compress.passes.prune",
    ],
)  # fmt: skip
def test_words_are_functions_whatever_was_imported_first(first: str) -> None:
    needs.module("torch")
    words = "callable(compress.constraints), callable(compress.prune), callable(compress.save)"
    done = spawn(f"{first}; import compress; print({words})")
    assert (done.out, done.err) == ("True True True\n", "")


def test_what_a_device_needs_is_imported_without_torch() -> None:
    done = spawn(LIGHT)
    assert (done.code, done.err) == (0, "")


def test_the_same_words_as_on_the_command_line(tmp_path: Path) -> None:
    needs.module("torch")
    recipe = {"model": "lenet-300-100", "weights": "random", "prune": 0.9, "quantize": "2bit"}
    report = compress.run(recipe, tmp_path)
    assert report.artifact_bytes == (tmp_path / "lenet-300-100.safetensors").stat().st_size
    assert report.accuracy.reason is not None


def test_pack_unpack_and_load(tmp_path: Path) -> None:
    model = small_run()[0] / "lenet-300-100.onnx"
    packed = str(tmp_path / "packed.safetensors")
    compress.pack(str(model), packed)
    restored = compress.unpack(packed)
    assert restored == tmp_path / "packed.unpacked.onnx"
    assert restored.read_bytes() == model.read_bytes()
    restored.write_bytes(b"another's")
    with pytest.raises(CompressError, match="another file"):
        compress.unpack(packed)
    assert compress.unpack(packed, force=True).read_bytes() == model.read_bytes()
    session = compress.runtime.load(packed)
    assert [value.name for value in session.inputs] == ["input"]
    assert [value.name for value in session.outputs] == ["output"]
    outputs = session.run({"input": np.zeros((3, 1, 28, 28), np.float32)})
    assert {name: held.shape for name, held in outputs.items()} == {"output": (3, 10)}


def test_errors_have_one_base(tmp_path: Path) -> None:
    with pytest.raises(compress.CompressError):
        compress.pack(tmp_path / "missing.onnx", tmp_path / "x.safetensors")
    assert compress.CompressError is CompressError
    with pytest.raises(AttributeError, match="no attribute 'packs'"):
        compress.packs  # noqa: B018

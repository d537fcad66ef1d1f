"""What stands where a command would write stays, unless it is the command's own or is given up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import save_file

from compress.artifact import container
from tests import needs
from tests.cli.console import compress

_IN_THE_WAY = "bytes is there; choose another place, or --force to replace it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as Hugging Face has them: a network and its weights under one name."""
    weights = np.arange(4096, dtype=np.float32).reshape(64, 64) % 7
    save_file({"w": weights}, tmp_path / "model.safetensors", {"format": "pt"})
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 18)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "model.onnx"
    )
    return tmp_path


def test_by_default_names_of_their_own(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for name in ("model.onnx", "model.safetensors"):
        packed = folder / "model.packed.safetensors"
        for _ in range(2):  # what a command made itself gives way
            assert compress("pack", folder / name, "--json").json()["file"] == str(packed)
            back = compress("unpack", packed, "--json").json()["file"]
            assert back == str(folder / f"model.unpacked{Path(name).suffix}")
            assert Path(back).read_bytes() == before[folder / name]
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("target", ["weights.safetensors", "model.packed.safetensors", "link"])
def test_pack_replaces_only_what_it_made(folder: Path, target: str) -> None:
    there = folder / target
    shutil.copy(folder / "model.safetensors", folder / "precious")
    if target == "link":
        there.symlink_to(folder / "precious")
    else:
        shutil.copy(folder / "precious", there)
    held = there.read_bytes()
    words = ("pack", folder / "model.onnx", "-o", there)
    assert compress(*words).error().endswith(_IN_THE_WAY)
    assert there.read_bytes() == held
    assert compress(*words, "--force").code == 0
    assert container.is_packed(there)
    assert compress(*words).code == 0


def test_unpack_replaces_only_the_same_bytes(folder: Path) -> None:
    compress("pack", folder / "model.onnx")
    packed, there = folder / "model.packed.safetensors", folder / "mine.onnx"
    there.write_bytes(b"another model")
    words = ("unpack", packed, "-o", there)
    assert compress(*words).error().endswith(_IN_THE_WAY)
    assert there.read_bytes() == b"another model"
    other = shutil.copy(packed, folder / "other.packed.safetensors")
    assert compress("unpack", packed, "-o", other).error().endswith(_IN_THE_WAY)
    for more in (("--force",), ()):
        assert compress(*words, *more).code == 0
    assert there.read_bytes() == (folder / "model.onnx").read_bytes()


def test_even_forced_no_source_is_replaced(folder: Path) -> None:
    needs.module("cryptography")
    compress("keygen", folder / "a")
    packed = folder / "model.packed.safetensors"
    compress("pack", folder / "model.onnx")
    (folder / "again").hardlink_to(packed)
    held = {path: path.read_bytes() for path in folder.iterdir()}
    model, key = folder / "model.onnx", folder / "a.key"
    for words in (
        ("pack", model, "-o", model),
        ("unpack", packed, "-o", folder / "again"),
        ("sign", packed, "--key", key, "-o", packed),
        ("sign", packed, "--key", key, "-o", key),
        ("import", model, "--model", "squeezenet1_0", "-o", model),
    ):
        assert "would overwrite what is read" in compress(*words, "--force").error()
    assert held == {path: path.read_bytes() for path in folder.iterdir()}


def test_import_looks_before_it_builds_the_network(folder: Path) -> None:
    needs.module("torch")
    words = ("import", folder / "none.net", "--model", "squeezenet1_0")
    target = folder / "model.safetensors"
    assert compress(*words, "-o", target).error().endswith(_IN_THE_WAY)
    shutil.copy(target, folder / "none.packed.safetensors")
    assert compress(*words).error().endswith(_IN_THE_WAY)


def test_a_name_of_a_folder_is_no_file(folder: Path) -> None:
    for name in (f"{folder}/new/", ""):
        done = compress("pack", folder / "model.onnx", "-o", name)
        assert (done.code, done.out) == (2, "")
        assert "must name a file and not a folder" in done.err
    assert "it is a folder" in compress("pack", folder / "model.onnx", "-o", folder).error()
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "model.safetensors"]


@pytest.mark.parametrize("command", ["pack", "unpack", "import", "sign"])
def test_help_tells_where_files_go(command: str) -> None:
    words = " ".join(compress(command, "--help").out.replace("│", " ").split())
    assert "its folder is made where there is none" in words
    assert "Replace a file that is there, whatever it is." in words

"""What bad input gets: one line on stderr that says what, where and what to do, and exit code 1."""

from __future__ import annotations

import os
import pickle  # noqa: TID251  (to show that none is loaded)
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cli.console import Outcome, compress, spawn
from tests.cli.runs import file_of_run, small_run

RANDOM = ("--weights", "random")
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from compress.cli.main import main
sys.argv = ["compress", *sys.argv[1:]]
main()
"""


def run(out: Path, *words: str | Path) -> Outcome:
    return compress("run", *words, "--out", out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--model", "resnet5"),
            "model must be a known name, got 'resnet5'; the nearest are resnet56",
        ),
        (("--model", "lenet"), "lenet-5"),
        (
            ("--model", "../x"),
            "model must be a known name, got",
        ),
        (
            ("--model", "lenet-5", "--task", "mnits"),
            "task must be a known name, got 'mnits'; the nearest are mnist",
        ),
        (("--model", "lenet-5", "--prune", "1.0"), "sparsity must be in [0, 1), got 1.0"),
        (("--model", "lenet-5", "--prune", "-1"), "sparsity must be in [0, 1), got -1.0"),
        (("--model", "lenet-5", "--prune", "conv=0.5,conv=0.6"), "given once for each"),
        (("--model", "lenet-5", "--quantize", "0bit"), "bits must be in [1, 16], got 0"),
        (("--model", "lenet-5", "--quantize", "17bit"), "bits must be in [1, 16], got 17"),
        (("--model", "lenet-5", "--quantize", "int8"), "quantize: bits must be a whole number in"),
        (("--model", "lenet-5", "--coder", "zip"), "coder must be huffman or best, got 'zip'"),
        (("--model", "lenet-5", "--target-bytes", "2XB"), "target_bytes must be a size such as"),
        (("--model", "my:Net"), "model must name a module that is installed or in this folder"),
        (("--model", "qqqqqqqq"), "got 'qqqqqqqq'; compress zoo lists them"),
        (
            ("--model", "lenet-5", "--seed", "-1"),
            "seed must be a whole number of at least 0",
        ),
        (("--model", "lenet-5", "--seed", str(2**64)), "seed must be a whole number of at most"),
        (("--model", "lenet-5", "--device", "tpu"), "device must be auto, cpu or cuda, got 'tpu'"),
        (("--model", "lenet-5", "--epochs", "3"), "task must be given for epochs"),
        (("--model", "lenet-5"), "give --task to train it on, or --weights random|FILE"),
        (("--recipe", "missing.yaml"), "recipe missing.yaml cannot be read"),
        (
            ("--model", "lenet-5", *RANDOM, "--prune", "conv9=0.5"),
            "target 'conv9' matches no layer; nearest are conv2",
        ),
        (
            ("--model", "lenet-300-100", *RANDOM, "--quantize", "conv=5bit"),
            "target 'conv' matches no layer; the model's kinds are fc",
        ),
    ],
)
def test_settings(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in run(tmp_path / "run", *words).error()


@pytest.mark.parametrize("task", ["mnist", "imagefolder"])
def test_a_data_root_that_is_empty(task: str, tmp_path: Path, no_network: None) -> None:
    model = "lenet-5" if task == "mnist" else "squeezenet1_0"
    said = run(tmp_path / "run", "--model", model, "--task", task, "--data", tmp_path).error()
    assert str(tmp_path) in said


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Send all that is asked of the network to a port where nobody listens."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_no_network_for_pretrained_weights(tmp_path: Path, no_network: None) -> None:
    said = run(tmp_path / "run", "--model", "squeezenet1_0").error()
    assert "download of pretrained weights for squeezenet1_0 from https://" in said
    assert said.endswith("use --weights random|FILE")


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    other, pickled = tmp_path / "other.safetensors", tmp_path / "pickled.safetensors"
    save_file({"ip1.weight": np.zeros((2, 3), np.float32)}, other)
    pickled.write_bytes(pickle.dumps({"ip1.weight": [1.0]}))
    for file, said in (
        (other, "do not fit the model: "),
        (pickled, "is not a safetensors file: "),
        (file_of_run(), "is a compressed file; unpack it"),
        (tmp_path, "is not a file; the names are pretrained, random, trained"),
    ):
        error = run(tmp_path / "run", "--model", "lenet-5", "--weights", file).error()
        assert error.startswith(f"weights {file} {said}")


def damaged() -> Iterator[tuple[str, bytes]]:
    whole = file_of_run().read_bytes()
    yield "truncated", whole[:-100]
    yield "short", whole[:5]
    yield "empty", b""
    yield "pickled", pickle.dumps({"weight": [1.0]})
    yield "altered", whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:]
    name = whole.index(b"lenet-300-100")
    yield "renamed", whole[:name] + b"k" + whole[name + 1 :]


@pytest.mark.parametrize("command", ["verify", "inspect", "unpack", "predict", "eval"])
def test_files_that_are_damaged(command: str, tmp_path: Path) -> None:
    more = {"predict": ["--input", "x.npy"], "eval": ["--task", "digits"]}.get(command, [])
    for name, content in damaged():
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(content)
        assert str(file) in compress(command, file, *more).error()
    missing = tmp_path / "missing.safetensors"
    assert compress(command, missing, *more).error() == f"{missing} is not a file"
    assert str(tmp_path) in compress(command, tmp_path, *more).error()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors"] * 6


@pytest.mark.parametrize("asked", [("pack",), ("import", "--model", "squeezenet1_0")])
def test_a_folder_in_place_of_a_file(asked: tuple[str, ...]) -> None:
    assert compress(*asked, ".").error().startswith(". ")


def test_models_that_cannot_be_packed(tmp_path: Path) -> None:
    onnx, text = tmp_path / "damaged.onnx", tmp_path / "model.txt"
    onnx.write_bytes((small_run()[0] / "lenet-300-100.onnx").read_bytes()[:-1000])
    text.write_text("a model")
    assert compress("pack", onnx).error().startswith(f"{onnx} is not a readable ONNX model: ")
    assert compress("pack", text).error() == f"{text} does not end in .onnx or .safetensors"
    assert compress("pack", tmp_path / "no.onnx").error() == f"{tmp_path / 'no.onnx'} is not a file"
    packed = file_of_run()
    target = tmp_path / "again.safetensors"
    assert compress("pack", packed, "-o", target).error() == f"{packed} is packed already"
    assert "would overwrite" in compress("pack", packed, "-o", packed).error()


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': "
    contents = {
        "text.npy": b"no array",
        "empty.npy": b"",
        "zip.npy": b"PK\x03\x04 and no more",
        "cut.npy": (header + b"(3, 784), }").ljust(127) + b"\n" + bytes(9),
        "huge.npy": (header + b"(99999999999999,), }").ljust(127) + b"\n",
        "code.npy": (header + b"__import__('os'), }").ljust(127) + b"\n",
        "image.png": b"no image",
        "image": b"\x89PNG\r\n\x1a\n and no more",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "shape.npy", np.zeros((2, 5), np.float32))
    np.save(tmp_path / "type.npy", np.zeros((2, 1, 28, 28), np.complex64))
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    for path in [*sorted(tmp_path.iterdir()), tmp_path / "missing.npy", tmp_path / "missing.png"]:
        said = compress("predict", file_of_run(), "--input", path).error()
        assert path.name in said or "input" in said or "memory" in said


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    model = small_run()[0] / "lenet-300-100.onnx"
    for words in (
        ("run", "--model", "lenet-5", *RANDOM, "--out", file),
        ("run", "--model", "lenet-5", *RANDOM, "--out", file / "below"),
        ("pack", model, "-o", file / "x.safetensors"),
        ("unpack", file_of_run(), "-o", file / "x.onnx"),
        ("pack", model, "-o", tmp_path),
    ):
        said = compress(*words).error()
        assert said.startswith("cannot write ")
        assert "choose another place" in said
    assert file.read_text() == "in the way"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    """The limit of the process stands for a disk without room."""
    target = tmp_path / "model.onnx"
    said = spawn(LIMITED, "unpack", file_of_run(), "-o", target).error()
    assert said.startswith(f"cannot write {target}: File too large; free or choose another place")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 KiB, where this process may."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here: run as root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk(tiny_disk: Path) -> None:
    for words in (
        ("unpack", file_of_run(), "-o", tiny_disk / "model.onnx"),
        ("run", "--model", "lenet-300-100", *RANDOM, "--out", tiny_disk),
    ):
        done = compress(*words)
        assert done.code == 1
        last = done.err.splitlines()[-1]
        assert last.startswith(f"compress: cannot write {tiny_disk}/")
        assert last.endswith("No space left on device; free or choose another place")
        assert not list(tiny_disk.glob("*.onnx"))
        assert not list(tiny_disk.glob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=8m", tiny_disk], check=True)
    stages = compress(*words, "--resume").err.split()
    assert "export" in stages
    assert "dense" not in stages
    assert (tiny_disk / "report.json").exists()


def test_a_disk_that_is_read_only(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    for words in (
        ("run", "--model", "lenet-300-100", *RANDOM, "--out", tiny_disk / "run"),
        ("pack", small_run()[0] / "lenet-300-100.onnx", "-o", tiny_disk / "run" / "file"),
        ("keygen", tiny_disk / "run"),
    ):
        said = compress(*words).error()
        assert said.startswith(f"cannot write {tiny_disk}/run")
        assert "Read-only file system" in said


@pytest.mark.parametrize(
    "words",
    [
        ("packs",),
        ("run",),
        ("run", "--colour"),
        ("run", "--epochs", "many"),
        ("pack",),
        ("eval", "x.safetensors"),
        ("eval", "x.safetensors", "--task", "digits", "--threads", "0"),
        ("predict", "x.safetensors"),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    done = compress(*words)
    assert done.code == 2
    assert done.out == ""
    assert "Usage: compress" in done.err


def test_unknown_rows_of_the_zoo() -> None:
    assert "the nearest are resnet18" in compress("zoo", "resnet19").error()
    assert "family must be a known name" in compress("zoo", "--family", "lenets").error()

"""Every command: its help, its JSON, its text, and what it needs to be installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from onnx import load, save
from PIL import Image

from compress import kernels
from compress.cli import doctor
from compress.cli.main import app
from tests import needs
from tests.cli.console import Outcome, compress, spawn
from tests.cli.runs import file_of_run, small_run

COMMANDS = (
    "run", "pack", "unpack", "inspect", "verify", "sign", "keygen", "eval", "predict", "import",
    "zoo", "cache", "doctor", "warm",
)  # fmt: skip
# A process in which some packages are not installed, and which tells what it has loaded.
WITHOUT = """
import json, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from compress.cli.main import main
def run(*words):
    sys.argv = ["compress", *words]
    try:
        main()
    except SystemExit as end:
        return end.code
"""
TORCH = ("torch", "torchvision", "torch_pruning", "onnxscript", "accelerate")


def without(packages: tuple[str, ...], script: str, *words: str | Path) -> Outcome:
    return spawn(WITHOUT.replace("{missing}", repr(set(packages))) + script, *words)


def test_all_commands_are_here() -> None:
    assert tuple(command.name for command in app.registered_commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    done = compress(command, "--help")
    assert done.code == 0
    assert done.err == ""
    assert f"Example: compress {command}" in done.out
    assert done.out == compress(command, "-h").out
    assert "<bool>" not in done.out


def test_help_loads_nothing_heavy() -> None:
    heavy = ("torch", "numba", "onnxruntime", "onnx", "numpy", "PIL", "sklearn", "cryptography")
    script = f"""
import contextlib, io
for command in {COMMANDS!r}:
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(command, "--help")
    assert code == 0, command
print(json.dumps(sorted(set(sys.modules) & set({heavy!r}))))
"""
    done = without((), script)
    assert (done.code, done.out, done.err) == (0, "[]\n", "")


def test_no_command_shows_help() -> None:
    done = compress()
    assert done.code == 2
    assert all(f" {command} " in done.out + done.err for command in COMMANDS)


def test_version_and_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    # typer asks which shell it runs under; what runs the tests may be one that it does not know
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = without((), "sys.exit(run('--show-completion', 'bash'))")
    assert (done.code, done.err) == (0, "")
    assert "_COMPRESS_COMPLETE" in done.out


@pytest.mark.parametrize(
    ("begun", "completed", "others"),
    [
        ("run --model mobilenet_v", "mobilenet_v2", "resnet18"),
        ("run --task d", "digits", "mnist"),
        ("import x.net --model squeeze", "squeezenet1_0", "resnet18"),
        ("zoo lenet-", "lenet-5", "resnet18"),
        ("eval x --task s", "stsb", "mnist"),
    ],
)
def test_names_are_completed(begun: str, completed: str, others: str) -> None:
    words = f"compress {begun}"
    environment = {
        "_COMPRESS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    with mock.patch.dict("os.environ", environment):
        found = compress().out.split()
    assert completed in found
    assert others not in found


def test_run() -> None:
    folder, done = small_run()
    report = done.json()
    assert report["model"] == "lenet-300-100"
    stages = dict.fromkeys(line.split()[0] for line in done.err.splitlines())
    assert list(stages) == ["dense", "prune", "quantize", "export", "pack", "check", "report"]
    assert "dense    trains lenet-300-100 for 3 epochs of 1,200 samples; for fewer: " in done.err
    assert json.loads((folder / "report.json").read_text()) == report
    used = report["used"]
    assert (used["weights"], used["inputs"]) == ("trained", ["1x28x28"])
    trainings = used["dense"], used["prune"]["train"], used["quantize"]["train"]
    assert [train["epochs"] for train in trainings] == [3, 2, 2]


def test_run_ends_with_a_table(tmp_path: Path) -> None:
    needs.module("torch")
    words = ["--model", "lenet-300-100", "--weights", "random", "--quantize", "2bit"]
    done = compress("run", *words, "--out", tmp_path)
    assert done.code == 0
    assert "lenet-300-100: 1.02 MiB -> " in done.out
    assert done.out.splitlines()[-1] == f"report  {tmp_path / 'report.html'}"
    assert done.out.splitlines()[-2] == f"file    {tmp_path / 'lenet-300-100.safetensors'}"


def test_options_win_over_a_recipe_and_leave_the_rest_of_it(tmp_path: Path) -> None:
    needs.module("torch")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "model: lenet-300-100\nweights: random\nprune: {sparsity: 0.9, scope: uniform}\n"
    )
    words = [
        "--recipe",
        recipe,
        "--prune",
        "0.5",
        "--seed",
        "3",
        "--out",
        tmp_path / "run",
        "--json",
    ]
    found = compress("run", *words).json()["recipe"]
    assert (found["prune"]["sparsity"], found["prune"]["scope"]) == ("0.5", "uniform")
    assert (found["seed"], found["weights"]) == (3, "random")


def test_files_beside_a_model_are_told_and_named(tmp_path: Path) -> None:
    model, packed = tmp_path / "in" / "m.onnx", tmp_path / "p.safetensors"
    model.parent.mkdir()
    whole = load(small_run()[0] / "lenet-300-100.onnx")
    save(whole, model, save_as_external_data=True, location="m.data")
    found = compress("pack", model, "-o", packed)
    assert f"{model} and 1 file beside it" in found.err
    lines = compress("unpack", packed, "-o", tmp_path / "out" / "m.onnx").out.splitlines()
    assert lines == [str(tmp_path / "out" / name) for name in ("m.onnx", "m.data")]
    for line in lines:
        assert Path(line).read_bytes() == (model.parent / Path(line).name).read_bytes()


def test_pack_and_unpack(tmp_path: Path) -> None:
    model, packed = small_run()[0] / "lenet-300-100.onnx", tmp_path / "packed.safetensors"
    found = compress("pack", model, "-o", packed, "--json").json()
    assert found == {
        "file": str(packed),
        "source_bytes": model.stat().st_size,
        "artifact_bytes": packed.stat().st_size,
    }
    found = compress("unpack", packed, "--json").json()
    restored = tmp_path / "packed.unpacked.onnx"
    n_bytes = restored.stat().st_size
    assert found == {"file": str(restored), "files": [str(restored)], "bytes": n_bytes}
    assert restored.read_bytes() == model.read_bytes()
    assert compress("unpack", packed, "-o", restored).out == f"{restored}\n"
    assert str(packed) in compress("pack", model, "-o", packed).out


def test_inspect() -> None:
    file = file_of_run()
    found = compress("inspect", file, "--json").json()
    assert found["artifact_bytes"] == file.stat().st_size == sum(found["ledger"].values())
    assert found["paper_bytes"] < found["artifact_bytes"]
    assert found["metadata"]["model"] == "lenet-300-100"
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["ip1.weight"]["shape"] == [300, 784]
    assert layers["ip1.weight"]["distinct"] <= 16
    report = {layer["name"]: layer for layer in small_run()[1].json()["layers"]}
    assert {name: held["n_bytes"] for name, held in layers.items()} == {
        name: held["bytes"] for name, held in report.items()
    }
    text = compress("inspect", file).out
    assert "ip1.weight" in text
    assert "300x784" in text
    assert str(file.stat().st_size) in text
    assert text.index("codebooks") > text.index("ip3.weight")  # what a screen shows is the sums


def test_verify() -> None:
    file = file_of_run()
    found = compress("verify", file, "--json").json()
    assert found.keys() == {"file", "contents_sha256", "tensors", "signature"}
    assert found["signature"] == "missing"
    assert found["tensors"] == 5  # a bias of ten stays in the graph
    assert found["contents_sha256"] in compress("verify", file).out


def test_eval_agrees_with_the_report() -> None:
    report = small_run()[1].json()
    expected = {"metric": "accuracy", "value": report["accuracy"]["compressed"], "n": 357}
    onnx = small_run()[0] / "lenet-300-100.onnx"
    assert compress("eval", file_of_run(), "--task", "digits", "--json").json() == expected
    assert compress("eval", onnx, "--task", "digits", "--threads", "1", "--json").json() == expected
    text = compress("eval", file_of_run(), "--task", "digits").out
    assert text == f"accuracy {expected['value']:.2%} on 357 samples\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray[Any, Any]]:
    """Return a scan as an image and as an array of two, and what it shows."""
    needs.module("sklearn")
    from compress_zoo.tasks.digits import Digits

    samples = Digits().pictures("test")
    folder = tmp_path_factory.mktemp("inputs")
    pixels = np.kron(np.asarray(samples.images([0, 1])), np.ones((4, 4), np.uint8))[:, 2:-2, 2:-2]
    Image.fromarray(pixels[0].astype(np.uint8)).save(folder / "scan.png")
    np.save(folder / "scans.npy", (pixels[:, None] / 255).astype(np.float32))
    return folder / "scan.png", folder / "scans.npy", samples.labels[:2]


def test_predict(inputs: tuple[Path, Path, np.ndarray[Any, Any]]) -> None:
    image, array, labels = inputs
    words = ["predict", file_of_run(), "--input", image, "--input", array]
    found = compress(*words, "--json").json()
    assert found["output"] == "output"
    rows = found["rows"]
    assert [(row["input"], row["index"]) for row in rows] == [
        (str(image), 0), (str(array), 0), (str(array), 1),
    ]  # fmt: skip
    for row, label in zip(rows, [labels[0], *labels], strict=True):
        best = row["top"][0]
        assert best["class"] == label
        assert best["label"] == str(label)
        scores = [place["score"] for place in row["top"]]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 5
    lines = compress(*words).out.splitlines()
    assert len([line for line in lines if "scan" in line]) == 3


def test_the_plain_file_of_a_run_tells_what_the_compressed_one_does(
    inputs: tuple[Path, Path, np.ndarray[Any, Any]],
) -> None:
    image, _, labels = inputs
    onnx = small_run()[0] / "lenet-300-100.onnx"
    plain, packed = (
        compress("predict", file, "--input", image, "--json").json()["rows"][0]["top"][0]
        for file in (onnx, file_of_run())
    )
    assert plain["class"] == packed["class"] == labels[0]
    assert plain["label"] == packed["label"] == str(labels[0])
    stored = compress("inspect", file_of_run(), "--json").json()["metadata"]
    assert stored["labels"] == list("0123456789")
    assert stored["task"] == "digits"
    assert stored["preprocessing"]["crop"] == [28, 28]


def test_predict_where_a_file_tells_nothing(
    inputs: tuple[Path, Path, np.ndarray[Any, Any]], tmp_path: Path
) -> None:
    """A stranger's ONNX file has no labels, and does not tell what it makes of an image."""
    image, array, labels = inputs
    stranger = load(small_run()[0] / "lenet-300-100.onnx")
    del stranger.metadata_props[:]
    onnx = tmp_path / "stranger.onnx"
    save(stranger, onnx)
    rows = compress("predict", onnx, "--input", array, "--json").json()["rows"]
    assert [row["top"][0]["class"] for row in rows] == labels.tolist()
    assert rows[0]["top"][0]["label"] is None
    assert compress("predict", onnx, "--input", image).error().endswith("give an .npy")
    np.save(tmp_path / "nan.npy", np.full((1, 1, 28, 28), np.nan, np.float32))
    done = compress("predict", onnx, "--input", tmp_path / "nan.npy", "--json")
    assert done.code == 1
    assert json.loads(done.out)["rows"][0]["top"] == []
    np.save(tmp_path / "none.npy", np.zeros((0, 1, 28, 28), np.float32))
    said = compress("predict", onnx, "--input", tmp_path / "none.npy").error()
    assert "it holds no samples" in said


def test_zoo() -> None:
    rows = compress("zoo", "--json").json()["rows"]
    assert {"name", "family", "task", "source", "params", "macs", "paper"} <= rows[0].keys()
    names = {row["name"] for row in rows}
    assert {"lenet-300-100", "lenet-5", "squeezenet1_0", "resnet50", "vgg16"} <= names
    family = compress("zoo", "--family", "resnet", "--json").json()["rows"]
    assert {row["family"] for row in family} == {"resnet"}
    (one,) = compress("zoo", "lenet-5", "--json").json()["rows"]
    assert one["params"] == 431_080
    assert "431,080" in compress("zoo", "lenet-5").out
    assert "lenet-300-100" in compress("zoo").out


def test_doctor() -> None:
    found = compress("doctor", "--json").json()
    assert found.keys() == {"machine", "packages", "works", "problems"}
    assert "CPUExecutionProvider" in found["machine"]["providers"]
    assert found["packages"]["base"]["numpy"] == np.__version__
    assert found["packages"].keys() >= {"base", "torch", "nlp", "timm"}
    assert (
        found["works"]["pack, unpack, inspect, verify, eval, predict, zoo, run --model FILE.onnx"]
        is True
    )
    text = compress("doctor").out
    assert "CPUExecutionProvider" in text
    assert text.endswith("\n")
    needs.module("torch")
    assert found["works"]["run, import"] is True
    assert "works: run, import\n" in text


def test_doctor_tells_what_is_missing() -> None:
    script = """
from importlib import metadata
version = metadata.version
def known(name):
    if name in ("torch", "onnxruntime", "matplotlib"):
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = known
run("doctor")
run("doctor", "--json")
"""
    done = without((*TORCH, "onnxruntime", "matplotlib"), script)
    assert (done.code, done.err) == (0, "")
    text, _, rest = done.out.partition("{")
    bring = "pip install 'compress-toolkit[torch,report]'"
    assert f"not installed: run, import ({bring})\n" in text
    assert "not installed: pack, unpack" in text
    found = json.loads("{" + rest)
    assert found["machine"]["providers"] == []
    assert found["packages"]["torch"]["torch"] is None
    assert found["works"]["run, import"] is False
    assert found["problems"]["run, import"].endswith(f" not installed: {bring}")


def test_doctor_tries_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor, "_try_base", fail)
    base = "pack, unpack, inspect, verify, eval, predict, zoo, run --model FILE.onnx"
    found = compress("doctor", "--json").json()
    assert found["works"][base] is False
    assert found["problems"][base] == "OSError: libgomp.so.1: cannot open shared object file"
    assert f"does not work: {base} (OSError: libgomp" in compress("doctor").out


def test_warm_leaves_what_the_next_start_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(compress("warm", "--json").json()["folder"])
    beside = Path(kernels.__file__).parent / "__pycache__"  # what is there is not kept twice
    kept = [path.name for folder in (place, beside) for path in folder.glob("*.nbc")]
    assert {"bits", "mixing", "planes", "sparse"} <= {name.partition(".")[0] for name in kept}
    monkeypatch.setattr("compress.kernels.compiled.folder", lambda: None)
    said = compress("warm").error()
    assert said == "no place for compiled kernels can be written; set COMPRESS_CACHE to one"


def test_doctor_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.kernels.compiled.folder", lambda: None)
    kept = compress("doctor", "--json").json()["machine"]["kernels"]
    assert kept == "kept nowhere, compiled at each start: set COMPRESS_CACHE to a folder"


def test_without_torch_files_are_used_all_the_same(
    inputs: tuple[Path, Path, np.ndarray[Any, Any]], tmp_path: Path
) -> None:
    """scikit-learn is there for its digits alone."""
    script = """
file, image, folder = sys.argv[1:]
codes = [
    run("eval", file, "--task", "digits", "--json"),
    run("predict", file, "--input", image),
    run("inspect", file), run("verify", file), run("unpack", file, "-o", folder + "/back.onnx"),
    run("pack", folder + "/back.onnx", "-o", folder + "/again.safetensors"),
    run("zoo", "--json"), run("doctor"),
]
assert "torch" not in sys.modules
print(codes)
"""
    done = without(TORCH, script, file_of_run(), inputs[0], tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == str([None] * 8).replace("None", "0")
    found, _ = json.JSONDecoder().raw_decode(done.out)
    assert found["value"] == small_run()[1].json()["accuracy"]["compressed"]
    onnx = small_run()[0] / "lenet-300-100.onnx"
    assert (tmp_path / "back.onnx").read_bytes() == onnx.read_bytes()


def test_run_without_torch_tells_how_to_bring_it(tmp_path: Path) -> None:
    script = (
        "sys.exit(run('run', '--model', 'lenet-5', '--weights', 'random', '--out', sys.argv[1]))"
    )
    said = without(TORCH, script, tmp_path / "run").error()
    assert said.startswith(
        "torch is not installed; install it with: pip install 'compress-toolkit["
    )

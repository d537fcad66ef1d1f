"""`compress eval` on texts: the tokenizer is in the file, and no torch is needed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from compress_zoo.registry import get
from onnx import TensorProto, helper, save

from compress.artifact import archive, convert
from tests import needs
from tests.cli.console import compress
from tests.cli.runs import file_of_run
from tests.cli.words import words
from tests.texts import tokenizer

MODEL = "all-minilm-l6-v2"
EVERY = 20  # 69 of the test part's 1,379 pairs
PAIRS = (("cat", "cat", 5), ("cat", "bird", 3), ("cat dog dog", "cat", 2), ("cat", "dog", 0))


def _write(root: Path, rows: tuple[tuple[object, ...], ...]) -> Path:
    (root / "stsb").mkdir()
    with (root / "stsb" / "test.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows((("sentence1", "sentence2", "score"), *rows))
    return root


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Return an .onnx file of a table of words."""
    return words(tmp_path / "words.onnx")


def test_a_network_of_texts(tmp_path: Path, network: Path) -> None:
    file = tmp_path / "words.safetensors"
    convert.pack(network, file, attached={"tokenizer.json": tokenizer()})
    said = ("eval", file, "--task", "stsb", "--data", _write(tmp_path, PAIRS))
    assert compress(*said, "--json").json() == {
        "metric": "spearman",
        "value": pytest.approx(1),  # cosines 1, 0.71, 0.45, 0
        "n": 4,
    }
    assert compress(*said).out == "spearman 100.00% on 4 samples\n"


def test_classes_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "words.safetensors"
    plain = words(tmp_path / "words.onnx", pooled=True)
    (tmp_path / "sst2").mkdir()
    rows = ("sentence\tlabel", "cat", "dog\t1", "dog bird\t1", "bird cat\t1")
    (tmp_path / "sst2" / "test.tsv").write_text("\n".join(rows).replace("cat\n", "cat\t0\n", 1))
    said = ("eval", file, "--task", "sst2", "--data", tmp_path)
    for labels, right in ((["negative", "positive"], 0.75), (["positive", "negative"], 0.25)):
        convert.pack(plain, file, {"labels": labels}, attached={"tokenizer.json": tokenizer()})
        assert compress(*said, "--json").json() == {"metric": "accuracy", "value": right, "n": 4}
    assert compress(*said).out == "accuracy 25.00% on 4 samples\n"


def test_a_file_without_a_tokenizer(tmp_path: Path, network: Path) -> None:
    file = tmp_path / "words.safetensors"
    convert.pack(network, file)
    for place in (network, file, file_of_run()):
        said = compress("eval", place, "--task", "stsb", "--data", tmp_path).error()
        assert said == f"{place} holds no tokenizer.json, without which task stsb has no input"


def test_a_network_of_other_classes(tmp_path: Path) -> None:
    needs.module("sklearn")
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["y"]),
            helper.make_node("Flatten", ["y"], ["z"]),
        ],
        "colors",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3])],
    )
    path = tmp_path / "colors.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    said = compress("eval", path, "--task", "digits").error()
    assert said == (
        f"{path} does not tell how an image becomes its input; measure the file that compress run "
        "wrote, or take that of task digits with --preprocess task"
    )
    said = compress("eval", path, "--task", "digits", "--preprocess", "task").error()
    assert "must give a score for each of 10 classes, got an output of shape" in said


def test_published_weights_bring_their_tokenizer(tmp_path: Path) -> None:
    path = needs.package(get(MODEL).source.package)
    data = needs.data("stsb")
    with (data / "stsb" / "test.csv").open(newline="", encoding="utf-8") as stream:
        rows = tuple(map(tuple, csv.reader(stream)))[1::EVERY]
    root = _write(tmp_path, rows)
    compress(
        "run", "--model", MODEL, "--weights", "pretrained", "--out", tmp_path / "out", "--json"
    )
    file = tmp_path / "out" / f"{MODEL}.safetensors"
    assert (
        archive.read(file).file("tokenizer.json") == path.with_name("tokenizer.json").read_bytes()
    )
    found = compress("eval", file, "--task", "stsb", "--data", root, "--json").json()
    assert found["n"] == len(rows) == 69
    assert found["value"] == pytest.approx(0.8388, abs=1e-3)  # 0.82 on all pairs

"""`compress predict --text`: classes where the file tells labels, else vectors; no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compress.artifact import convert
from tests.cli.console import compress, spawn
from tests.cli.words import TABLE, words
from tests.texts import tokenizer


def attached() -> dict[str, bytes]:
    return {"tokenizer.json": tokenizer()}


def test_the_vector_of_a_text(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    convert.pack(words(tmp_path / "w.onnx"), file, attached=attached())
    said = ("predict", file, "--text", "cat", "--text", "cat dog [bird]")
    assert compress(*said, "--json").json() == {
        "output": "states",
        "rows": [
            {"input": "cat", "index": 0, "vector": [1, 0]},
            {"input": "cat dog [bird]", "index": 0, "vector": pytest.approx([0.4, 0.4])},
        ],
    }
    shown = compress(*said).out.splitlines()
    assert [line.split() for line in shown[-2:]] == [
        ["cat", "2", "1.0000,", "0.0000"],
        ["cat", "dog", "[bird]", "2", "0.4000,", "0.4000"],
    ]


def test_only_the_first_numbers_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    plain = words(tmp_path / "w.onnx", np.repeat(TABLE, 5, 1), pooled=True, shape=(1, "tokens"))
    convert.pack(plain, file, attached=attached())
    said = ("predict", file, "--text", "cat", "--text", "dog cat")
    vectors = [row["vector"] for row in compress(*said, "--json").json()["rows"]]
    assert vectors == [[1] * 5 + [0] * 5, [0] * 5 + [1] * 5]
    assert compress(*said).out.splitlines()[-1].split()[2:] == [
        "10", "0.0000,", "0.0000,", "0.0000,", "0.0000,", "...",
    ]  # fmt: skip


def test_the_class_of_a_text(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    convert.pack(
        words(tmp_path / "w.onnx", pooled=True), file, {"labels": ["cats", "dogs"]},
        attached=attached(),
    )  # fmt: skip
    said = ("predict", file, "--text", "dog dog")
    assert compress(*said, "--json").json() == {
        "output": "states",
        "rows": [
            {
                "input": "dog dog",
                "index": 0,
                "top": [
                    {"class": 1, "label": "dogs", "score": 1},
                    {"class": 0, "label": "cats", "score": 0},
                ],
            }
        ],
    }
    assert compress(*said).out.splitlines()[-1].split() == [
        "dog", "dog", "0", "1", "dogs", "1.0000",
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [None, ["cats", "dogs"]])
def test_outputs_that_are_not_finite(tmp_path: Path, labels: list[str] | None) -> None:
    file = tmp_path / "w.safetensors"
    table = np.where(TABLE == 1, np.nan, TABLE)
    facts = {"labels": labels} if labels else {}
    convert.pack(words(tmp_path / "w.onnx", table, pooled=True), file, facts, attached=attached())
    for more in ((), ("--json",)):
        done = compress("predict", file, "--text", "nobody", "--text", "cat", *more)
        assert done.code == 1
        what = "class" if labels else "vector"
        assert done.err == (
            "compress: the network's outputs are not finite for 1 of 2 inputs, so they have no "
            f"{what}; the first is cat, row 0\n"
        )
        assert "NaN" not in done.out


def test_what_takes_no_text(tmp_path: Path) -> None:
    plain, file = words(tmp_path / "w.onnx"), tmp_path / "w.safetensors"
    convert.pack(plain, file)
    for place in (plain, file):
        assert compress("predict", place, "--text", "cat").error() == (
            f"{place} holds no tokenizer.json, without which it takes no texts"
        )
    done = compress("predict", file)
    assert done.code == 2
    assert "give at least one --input or --text" in done.err


def test_it_loads_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    convert.pack(words(tmp_path / "w.onnx"), file, attached=attached())
    script = (
        "import sys\nfrom pathlib import Path\nfrom compress.cli.predict import command\n"
        "command(Path(sys.argv[1]), None, ['cat'], as_json=True)\n"
        "print({'torch', 'transformers'} & set(sys.modules))\n"
    )
    done = spawn(script, file)
    assert done.code == 0, done.err
    assert done.out.endswith("set()\n")

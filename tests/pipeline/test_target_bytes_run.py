"""Runs that end at a size of the file, the better coder, and weights from a published file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

from compress.artifact import archive
from tests.cli.console import compress
from tests.cli.runs import RECIPE, small_run
from tests.pipeline.test_published import MODEL, encoded


def refused(*_: Any) -> NoReturn:
    raise AssertionError("the search was done again")


@pytest.mark.parametrize("coder", ["huffman", "best"])
def test_the_file_takes_no_more_than_asked(
    coder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_run()
    monkeypatch.setenv("COMPRESS_CACHE", str(small_run()[0].parent / "cache"))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(re.sub("(?m)^(prune|quantize|epochs):.*\n", "", RECIPE))
    asked = ("run", "--recipe", recipe, "--out", tmp_path / "run", "--coder", coder, "--json")
    done = compress(*asked, "--target-bytes", 70_000)
    report = done.json()
    assert 0.9 * 70_000 < report["artifact_bytes"] <= 70_000
    assert report["artifact_bytes"] == (tmp_path / "run/lenet-300-100.safetensors").stat().st_size
    assert report["recipe"]["target_bytes"]["target_bytes"] == 70_000
    assert [stage["name"] for stage in report["stages"]][1] == "target_bytes"
    assert report["accuracy"]["compressed"] > report["accuracy"]["dense"] - 0.05
    assert report["parity"]["within"]
    monkeypatch.setattr("compress.passes.target_bytes.to_size", refused)
    elsewhere = [tmp_path / "two" if word == tmp_path / "run" else word for word in asked]
    assert compress(*elsewhere, "--target-bytes", 70_000).code == 0
    packed = [tmp_path / name / "lenet-300-100.safetensors" for name in ("run", "two")]
    assert packed[0].read_bytes() == packed[1].read_bytes()


def test_bits_and_a_size_exclude_each_other(tmp_path: Path) -> None:
    asked = ("run", "--model", "lenet-5", "--weights", "random", "--out", tmp_path)
    said = compress(*asked, "--quantize", "5bit", "--target-bytes", 9_000).error()
    assert said == "quantize must be left out where there is target_bytes"


def test_a_size_that_is_too_small(tmp_path: Path) -> None:
    asked = ("run", "--model", "lenet-300-100", "--weights", "random", "--out", tmp_path)
    done = compress(*asked, "--target-bytes", 500)
    assert done.code == 1
    said = done.err.splitlines()[-1]
    assert "target_bytes must be a size that can be reached, got 500; files of " in said


def test_a_published_file_as_weights(tmp_path: Path) -> None:
    data, _ = encoded()
    (tmp_path / "published.net").write_bytes(data)
    compress("import", tmp_path / "published.net", "--model", MODEL, "--coder", "best")
    asked = ("run", "--model", MODEL, "--weights", tmp_path / "published.net", "--coder", "best")
    report = compress(*asked, "--out", tmp_path / "run", "--json").json()
    files = [
        archive.read(path)
        for path in (
            tmp_path / "run" / f"{MODEL}.safetensors",
            tmp_path / "published.packed.safetensors",
        )
    ]
    ran, imported = ([items.tobytes() for items in archive.decode(file)] for file in files)
    assert sorted(ran) == sorted(imported)
    assert report["parity"]["within"]


def test_packing_with_the_better_coder(tmp_path: Path) -> None:
    plain = small_run()[0] / "lenet-300-100.onnx"
    sizes = {}
    for coder in ("huffman", "best"):
        packed = tmp_path / f"{coder}.safetensors"
        asked = ("pack", plain, "-o", packed, "--coder", coder, "--json")
        sizes[coder] = compress(*asked).json()["artifact_bytes"]
        assert compress("verify", packed).code == 0
        compress("unpack", packed, "-o", tmp_path / "again.onnx")
        assert (tmp_path / "again.onnx").read_bytes() == plain.read_bytes()
    assert sizes["best"] < sizes["huffman"]
    assert compress("pack", plain, "-o", tmp_path / "x", "--coder", "zip").code == 2

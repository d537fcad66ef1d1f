"""Data of the hub where no files are: of a library that stands in for it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.sst2 import Sst2
from compress_zoo.tasks.stsb import Stsb


def _stand_in(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    module = ModuleType("datasets")
    module.load_dataset = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_columns_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(repository: str, *, split: str) -> dict[str, list[object]]:
        asked.append((repository, split))
        return {
            "text": ["good", "bad"], "label": [1, 0], "sentence1": ["a", "b"],
            "sentence2": ["c", "d"], "score": [5.0, 0.5],
        }  # fmt: skip

    _stand_in(monkeypatch, load_dataset)
    assert Sst2(root=tmp_path).texts("test").samples == (("good",), ("bad",))
    pairs = Stsb(root=tmp_path).texts("validation")
    assert pairs.samples == (("a", "c"), ("b", "d"))
    assert pairs.numbers.tolist() == [5, 0.5]
    assert asked == [("SetFit/sst2", "test"), ("mteb/stsbenchmark-sts", "validation")]


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(repository: str, *, split: str) -> None:
        raise ConnectionError("nobody answers\nat all")

    _stand_in(monkeypatch, load_dataset)
    with pytest.raises(ZooError) as caught:
        Stsb(root=tmp_path).texts("train")
    assert str(caught.value) == (
        f"stsb: {tmp_path}/stsb/train.csv is not there, and mteb/stsbenchmark-sts cannot be "
        "downloaded (nobody answers); put the files {train,dev,test}.csv there, with the columns "
        "sentence1, sentence2 and score, or name another root with --data or $COMPRESS_DATA"
    )


def test_the_library_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ZooError, match=r"test\.tsv is not there, and datasets, which downloads it"):
        Sst2(root=tmp_path).texts("test")

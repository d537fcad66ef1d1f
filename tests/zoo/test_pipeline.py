"""Every row goes through the whole pipeline: random weights, 90% zeros, 5 bits."""

from __future__ import annotations

from pathlib import Path

import pytest
from compress_zoo.entry import Entry
from compress_zoo.registry import entries, get

import compress

RECIPE = {"weights": "random", "prune": 0.9, "quantize": 5}
# A few seconds each, over the families; `make nightly` has the others.
SPREAD = ("lenet-5", "resnet20", "squeezenet1_1", "textcnn", "vae")


def marked(entry: Entry) -> object:
    marks = () if entry.name in SPREAD else pytest.mark.slow
    return pytest.param(entry, id=entry.name, marks=marks)


@pytest.mark.parametrize("entry", [marked(entry) for entry in entries()])
def test_row(entry: Entry, tmp_path: Path) -> None:
    report = compress.run({"model": entry.name, **RECIPE}, tmp_path)
    assert report.params == entry.params
    assert report.parity.tolerance == entry.tolerance
    assert report.parity.within, report.parity
    assert report.ratio > 1
    plain = tmp_path / f"{entry.name}.onnx"
    again = compress.unpack(tmp_path / f"{entry.name}.safetensors", tmp_path / "again.onnx")
    assert again.read_bytes() == plain.read_bytes()


def test_the_spread_is_over_the_families() -> None:
    assert len({get(name).family for name in SPREAD}) > len(SPREAD) // 2

"""`compress zoo`: the list, its filters, and one row whole."""

from __future__ import annotations

from typing import Any

import pytest
from compress_zoo import accuracy, measured, registry
from compress_zoo.tasks import NAMES

from tests import needs
from tests.cli.console import compress, spawn


def rows(*words: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = compress("zoo", *words, "--json").json()["rows"]
    return found


def test_every_row_is_listed() -> None:
    found = rows()
    assert [row["name"] for row in found] == [entry.name for entry in registry.entries()]
    for row in found:
        assert row.keys() == {
            "name", "family", "task", "source", "params", "macs", "paper", "inputs", "pretrained",
            "file_bytes", "accuracy",
        }  # fmt: skip
    printed = compress("zoo")
    assert all(f"{entry.name} " in printed.out for entry in registry.entries())
    assert printed.err == (
        f"{len(found)} rows; file: compressed at 90% zeros, 5 bits, random weights\n"
        "top-1: of the published weights, as torchvision tells it\n"
        f"tasks that compress run trains on: {', '.join(NAMES)}\n"
    )


def test_filters() -> None:
    small = rows("--max-params", "5M", "--max-macs", "0.4G", "--source", "torchvision")
    assert {"mobilenet_v2", "squeezenet1_1"} <= {row["name"] for row in small}
    for row in small:
        assert row["source"] == "torchvision"
        assert row["params"] <= 5_000_000
        assert row["macs"] <= 400_000_000
    assert {row["name"] for row in rows("--max-params", "266610", "--task", "mnist")} >= {
        "lenet-300-100"
    }
    assert rows("--family", "vgg", "--max-params", "266_609") == []


@pytest.mark.parametrize("text", ["x", "5B", "M", "", "infM", "nanM"])
def test_numbers_that_are_none(text: str) -> None:
    done = compress("zoo", "--max-params", text)
    assert done.code == 2
    assert "must be a number such as 300K, 5M or 2G" in done.err


def test_order() -> None:
    everything = rows()
    for order, key in (("params", "params"), ("macs", "macs"), ("file", "file_bytes")):
        known = [row[key] for row in rows("--sort", order) if row[key] is not None]
        assert known == sorted(known)
        assert len(known) == len([row for row in everything if row[key] is not None])
    names = [row["name"] for row in rows("--sort", "name", "--family", "resnet")]
    assert names == sorted(names)
    found = [row["accuracy"] for row in rows("--sort", "accuracy")]
    known = [figure for figure in found if figure is not None]
    assert known == sorted(known, reverse=True)
    assert found[len(known) :] == [None] * (len(found) - len(known))  # those come last
    assert compress("zoo", "--sort", "age").code == 2


def test_accuracy_is_what_torchvision_tells() -> None:
    needs.module("torchvision")
    from benchmarks.tables import zoo_accuracy

    told = dict(line.split(",") for line in zoo_accuracy.text().splitlines()[1:])
    held = accuracy.top1()
    assert {name: round(float(value) / 100, 5) for name, value in told.items()} == held
    assert held["resnet18"] == 0.69758
    printed = compress("zoo", "--family", "resnet").out
    assert " 69.76 " in printed


def test_unknown_filters() -> None:
    assert "task must be a known name" in compress("zoo", "--task", "mnits").error()
    assert "source must be a known name" in compress("zoo", "--source", "tv").error()


def test_one_row() -> None:
    needs.module("torchvision")
    (row,) = rows("resnet18")
    assert row["inputs"] == [
        {"name": "input", "shape": [3, 224, 224], "dtype": "float32", "below": None}
    ]
    assert (row["batch"], row["tolerance"]) == (None, 1e-3)
    assert row["weights"]["name"] == "IMAGENET1K_V1"
    out = compress("zoo", "resnet18").out
    for text in ("3 x 224 x 224, float32", "11,689,512", "1,814,073,344", "acc@1 69.758"):
        assert text in out
    assert "none are published" in compress("zoo", "lenet-5").out


def test_a_row_where_its_library_is_missing() -> None:
    done = spawn(
        "import sys\n"
        "for name in ('torch', 'torchvision', 'timm'): sys.modules[name] = None\n"
        "from compress.cli.main import main\n"
        "sys.argv = ['compress', 'zoo', 'mobilenetv1_100']\n"
        "main()"
    )
    assert done.code == 0, done.err
    assert "more is told with: pip install 'compress-toolkit[timm]'" in done.out


def test_measured_sizes_are_of_known_rows() -> None:
    sizes = measured.file_bytes()
    assert sizes.keys() <= {entry.name for entry in registry.entries()}
    for name, n_bytes in sizes.items():
        assert 0 < n_bytes < 4 * registry.get(name).params

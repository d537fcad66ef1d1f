from __future__ import annotations

from dataclasses import replace

from compress.report.data import Accuracy
from compress.report.steps import parts, steps


def test_steps_join_sizes_stages_and_accuracy_in_the_order_of_the_run(lenet):
    rows = steps(lenet)
    assert [row.name for row in rows] == [
        "dense",
        "prune",
        "quantize",
        "export",
        "pack",
        "check",
    ]
    dense, prune, *_, export, pack, _ = rows
    assert (dense.bytes, dense.ratio, dense.seconds) == (1_066_440, 1.0, 0.41)
    assert dense.accuracy == {"validation": 0.9822, "test": 0.9836}
    assert (prune.bytes, prune.accuracy) == (88_214, {"validation": 0.9806})
    assert (export.bytes, export.ratio, export.accuracy) == (None, None, {})
    assert pack.ratio == lenet.ratio
    assert parts(lenet) == ("validation", "test")


def test_the_headlines_figures_stand_at_the_ends(lenet):
    found = Accuracy(metric="accuracy", dense=0.9, compressed=0.8, part="test")
    rows = {row.name: row for row in steps(replace(lenet, accuracy=found))}
    assert rows["dense"].accuracy == {"test": 0.9}
    assert rows["pack"].accuracy == {"test": 0.8}
    assert rows["prune"].accuracy == {}


def test_a_run_without_data_has_no_parts(resnet50):
    assert parts(resnet50) == ()
    assert steps(resnet50)[0].seconds == 1.9

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from compress.report.data import StepAccuracy
from compress.report.summary import table


def printed(report, width=80):
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(table(report))
    return stream.getvalue()


def test_the_table_says_what_each_step_cost_and_gained(lenet):
    lines = printed(lenet).splitlines()
    assert lines[0].split() == ["step", "size", "ratio", "validation", "test", "time", "memory"]
    rows = {line.split("  ")[0].strip(): line.split() for line in lines[2:8]}
    assert list(rows)[:2] == ["dense", "prune"]
    assert " ".join(rows["prune"]) == "prune 86.1 KiB 12.1x 98.06% - 96.2 s 583 MiB"
    assert " ".join(rows["export"]) == "export - - - - 2.90 s 765 MiB"
    assert lines[-5:] == [
        "lenet-300-100: 1.02 MiB -> 25.8 KiB, 40.4x smaller (26,412 B on disk)",
        "accuracy on the test part: 98.36% -> 98.43% (+0.07 points)",
        "weights only, the paper's accounting: 21.6 KiB, 48.3x",
        "",
        "kept: +0.07 points, chance alone gives 0.4 on 10,000 samples",
    ]


def test_a_run_without_data_says_why(resnet50):
    text = printed(resnet50)
    assert "accuracy: not measured, no data was given; name a task with --task" in text
    assert "validation" not in text


@pytest.mark.parametrize("long", [False, True])
def test_eighty_columns_hold_every_figure(lenet, long):
    name = "a step with a name of many words that wraps" if long else "quantize"
    extra = StepAccuracy(stage="prune", part="train", value=0.9911)
    accuracy = replace(lenet.accuracy, steps=(*lenet.accuracy.steps, extra))
    stages = tuple(
        replace(stage, name=name) if stage.name == "quantize" else stage for stage in lenet.stages
    )
    text = printed(replace(lenet, accuracy=accuracy, stages=stages))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for figure in ("1.02 MiB", "98.22%", "98.36%", "99.11%", "42.1 s", "611 MiB", "40.4x"):
        assert figure in text


def test_names_are_text_and_nothing_else(lenet):
    stage = replace(lenet.stages[1], name="[red]prune[/red]\x1b[2J")
    text = printed(replace(lenet, model="net\x07", stages=(stage, *lenet.stages[2:])), width=120)
    assert "[red]prune[/red]?[2J" in text
    assert "net?:" in text
    assert "\x1b" not in text


def test_any_terminal_prints_it(lenet):
    stream = StringIO()
    Console(file=stream, width=80, color_system=None, safe_box=True).print(table(lenet))
    letters = [letter for letter in stream.getvalue() if letter.isalnum() or letter == ">"]
    assert all(letter.isascii() for letter in letters)

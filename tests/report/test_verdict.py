"""What a run came to: in a report, in the terminal, on the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from compress.report.data import Accuracy
from compress.report.page import render
from compress.report.summary import ending, table
from compress.report.verdict import Verdict, again, noise, verdict


def measured(report, dense, compressed, n, **recipe):
    accuracy = Accuracy(metric="accuracy", dense=dense, compressed=compressed, part="test", n=n)
    given = {"model": "net", "prune": None, "quantize": None, "target_bytes": None, **recipe}
    return replace(report, accuracy=accuracy, recipe=given, used={"weights": "pretrained"})


@pytest.mark.parametrize(
    ("dense", "compressed", "n", "level"),
    [
        (0.9836, 0.9843, 10_000, "kept"),
        (0.90, 0.88, 1_000, "kept"),  # two standard errors are 2.8 points
        (0.90, 0.86, 1_000, "lost"),  # 2.9
        (0.90, 0.88, 10_000, "lost"),  # 0.9
        (1.0, 1.0, 100, "kept"),
        (1.0, 0.99, 100, "kept"),  # one sample
        (0.876, 0.515, 1_000, "lost"),
        (0.5, 0.9, 10, "kept"),
    ],
)
def test_what_is_lost_is_more_than_chance(lenet, dense, compressed, n, level):
    judged = verdict(measured(lenet, dense, compressed, n, quantize={"bits": "5bit"}))
    assert judged.level == level
    assert judged.drop_points == pytest.approx(100 * (dense - compressed))
    assert (judged.advice is not None) == (judged.command is not None) == (level == "lost")


def test_a_metric_that_is_no_fraction_and_better_where_it_is_lower(lenet):
    found = Accuracy(
        metric="mean absolute error", dense=2.0, compressed=2.5, part="test", n=100,
        is_fraction=False, higher_is_better=False,
    )  # fmt: skip
    judged = verdict(replace(measured(lenet, 0.9, 0.9, 1), accuracy=found))
    assert (judged.level, judged.drop_points) == ("lost", 25.0)
    assert judged.words == "lost 25% of the metric (+0.5) on 100 samples"
    better = replace(found, compressed=1.5)
    assert verdict(replace(measured(lenet, 0.9, 0.9, 1), accuracy=better)).level == "kept"


def test_samples_make_few_bits_less_of_a_risk(resnet50):
    used = {"weights": "pretrained", "samples": "photos", "quantize": {"bits": "5bit"}}
    recipe = {"model": "net", "prune": None, "quantize": {}, "target_bytes": None}
    judged = verdict(replace(resnet50, recipe=recipe, used=used))
    assert (judged.level, judged.words) == ("unmeasured", "not measured")


@pytest.mark.parametrize(("nonzero", "level"), [(0.4, "unmeasured"), (0.2, "ruined")])
def test_samples_make_pruning_less_of_a_risk(resnet50, nonzero, level):
    used = {"weights": "pretrained", "samples": "photos"}
    recipe = {"model": "net", "prune": {}, "quantize": None, "target_bytes": None}
    layers = tuple(
        replace(layer, nonzero=round(nonzero * layer.weights), distinct=1)
        for layer in resnet50.layers
    )
    assert verdict(replace(resnet50, recipe=recipe, used=used, layers=layers)).level == level


def test_chance_is_two_standard_errors():
    assert noise(0.5, 0.5, 100) == pytest.approx(2 * (0.5 / 100) ** 0.5)
    assert noise(0.5, 0.5, None) == 0.0


@pytest.mark.parametrize(
    ("recipe", "used", "said", "command"),
    [
        ({"quantize": {}}, {}, "take more bits", "--quantize 8bit"),
        ({"prune": {}, "quantize": {}}, {}, "train while it is pruned", "--prune 0.3"),
        ({"target_bytes": {}}, {}, "more bytes", "--target-bytes 35216"),
        ({"prune": {}}, {"prune": {"train": {"epochs": 4}}}, "train for longer", "--epochs 8"),
        (
            {"quantize": {}},
            {"quantize": {"train": {"epochs": 3}}},
            "train for longer",
            "--epochs 6",
        ),
        ({"quantize": {}}, {"samples": "made up"}, "--calibration DIR", "--quantize 8bit"),
    ],
)
def test_what_to_do_depends_on_what_was_done(lenet, recipe, used, said, command):
    report = measured(lenet, 0.9, 0.5, 1_000, **recipe)
    judged = verdict(replace(report, used={**report.used, **used}))
    assert said in judged.advice
    assert judged.command == f"compress run --recipe recipe.yaml {command} --out again"


def unmeasured(report, weights, **recipe):
    given = {"model": "net", "prune": None, "quantize": None, "target_bytes": None, **recipe}
    used = {"weights": weights, "inputs": ["3x224x224"]}
    return verdict(replace(report, recipe=given, used=used))


def test_pruned_without_training_is_almost_surely_ruined(resnet50):
    for weights in ("pretrained", "mine.safetensors"):
        judged = unmeasured(resnet50, weights, prune={}, quantize={})
        assert judged.level == "ruined"
        assert judged.drop_points is None
        assert judged.words == (
            "not measured, and almost surely ruined: without training, 90% of the weights are "
            "zero and layers have 32 values or fewer"
        )
        assert "--task imagefolder --data DIR" in judged.command


def test_few_bits_are_told_and_random_weights_are_nothing_to_lose(resnet50):
    five = unmeasured(resnet50, "pretrained", quantize={})
    assert (five.level, "small networks lose much" in five.words) == ("unmeasured", True)
    layers = tuple(replace(layer, distinct=min(layer.distinct, 16)) for layer in resnet50.layers)
    four = unmeasured(replace(resnet50, layers=layers), "pretrained", quantize={})
    assert four.level == "ruined"
    layers = tuple(
        replace(layer, distinct=min(layer.weights, 256), nonzero=layer.weights)
        for layer in resnet50.layers
    )
    eight = unmeasured(replace(resnet50, layers=layers), "pretrained", quantize={}, prune={})
    assert (eight.level, eight.words) == ("unmeasured", "not measured")
    random = unmeasured(resnet50, "random", prune={}, quantize={})
    assert (random.level, random.advice) == ("unmeasured", None)
    assert "only the sizes say something" in random.words
    plain = unmeasured(resnet50, "pretrained")
    assert (plain.level, "no weight was changed" in plain.words) == ("unmeasured", True)


def test_no_command_is_made_up_for_a_network_without_images(resnet50):
    report = replace(resnet50, used={"weights": "pretrained", "inputs": ["128", "128"]})
    judged = verdict(report)
    assert (judged.level, judged.command) == ("ruined", None)
    assert judged.advice is not None


def test_a_report_holds_its_verdict(lenet, resnet50):
    for report, level in ((lenet, "kept"), (resnet50, "ruined")):
        told = json.loads(report.to_json())["verdict"]
        assert told.keys() == {"level", "drop_points", "words", "advice"}
        assert told["level"] == level
    assert told["drop_points"] is None
    assert "compress run --recipe recipe.yaml --task imagefolder" in told["advice"]


def test_the_terminal_ends_with_it_in_colour(resnet50):
    stream = StringIO()
    console = Console(file=stream, width=200, force_terminal=True, color_system="standard")
    console.print(table(resnet50, Path("runs/my net")))
    *_, words, advice, command = stream.getvalue().splitlines()
    assert "almost surely ruined" in words
    assert "\x1b[1;31m" in words
    assert advice.strip().endswith(":")
    assert command.strip() == (
        "compress run --recipe 'runs/my net/recipe.yaml' --task imagefolder --data DIR "
        "--out 'runs/my net/again'"
    )


def test_a_command_holds_where_one_is():
    command = "compress run --recipe recipe.yaml --prune 0.3 --out again"
    assert again(command, Path()) == command
    assert ending(Verdict(level="kept", drop_points=0.0, words="kept"), Path()) == ("kept",)


def test_the_page_shows_it_first(lenet, resnet50):
    for report in (lenet, resnet50):
        text = render(report)
        level = verdict(report).level
        assert re.search(rf'<div class="verdict {level}"', text)
        assert text.index('class="verdict') < text.index('class="headline"')

"""What a run came to, in words: kept, lost, or not measured and likely ruined; and what to do.

Two accuracies on the same n samples are alike when they differ by no more than two standard errors
of their difference, each counted as a binomial share of n. That both are of the same samples makes
the true error smaller: what is called lost is lost.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compress.passes.table import PASSES
from compress.report.wording import change

if TYPE_CHECKING:
    from compress.report.data import Report

Level = Literal["kept", "lost", "unmeasured", "ruined"]

_ERRORS = 2.0  # standard errors: 19 of 20 differences by chance are smaller
# Of what is changed without any training after it: at 90% zeros networks of ImageNet guess; at 5
# bits MiniLM lost 0.3 points, SqueezeNet 15, EfficientNet-Lite0 32.
_RUINS_ZEROS, _HARMS_ZEROS = 0.5, 0.3
_RUINS_VALUES, _HARMS_VALUES = 16, 32
# The same where errors were made to cancel on samples: at 5 bits nothing was lost, at 60% zeros
# EfficientNet-Lite0 lost 16 points, at 80% SqueezeNet 41.
_RUINS_ZEROS_CANCELLED = 0.75
_RUINS_CANCELLED, _HARMS_CANCELLED = 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run came to."""

    level: Level
    drop_points: float | None  #: percentage points that are lost, below 0 for gained; if measured
    words: str  #: a sentence without its stop
    advice: str | None = None  #: what to do, in words
    command: str | None = None  #: the command that does it, in the folder of the run


def verdict(report: Report) -> Verdict:
    """Judge a run by its report."""
    if report.accuracy.dense is not None and report.accuracy.compressed is not None:
        return _measured(report, report.accuracy.dense, report.accuracy.compressed)
    return _unmeasured(report)


def noise(dense: float, compressed: float, n: int | None) -> float:
    """Return how far two accuracies on n samples may be apart by chance, as a fraction.

    >>> round(noise(0.9, 0.9, 1000), 4)
    0.0268
    """
    if not n:
        return 0.0
    return _ERRORS * math.sqrt((dense * (1 - dense) + compressed * (1 - compressed)) / n)


def again(command: str, folder: Path) -> str:
    """Return a verdict's command for the folder that one is in.

    >>> again("compress run --recipe recipe.yaml --out again", Path("runs/net"))
    'compress run --recipe runs/net/recipe.yaml --out runs/net/again'
    """
    words = shlex.split(command)
    for option in ("--recipe", "--out"):
        place = words.index(option) + 1
        words[place] = str(folder / words[place])
    return shlex.join(words)


def _measured(report: Report, dense: float, compressed: float) -> Verdict:
    found, n = report.accuracy, report.accuracy.n
    drop = dense - compressed if found.higher_is_better else compressed - dense
    chance = noise(dense, compressed, n) if found.is_fraction else 0.0
    if not found.is_fraction:  # its points are hundredths of what the dense network has
        drop /= max(abs(dense), 1e-12)
    lost, moved = round(100 * drop, 6), change(dense, compressed, found.is_fraction)
    counted = f" on {n:,} samples" if n else ""
    if drop <= chance or drop <= 0:
        words = f"kept: {moved}, chance alone gives {100 * chance:.1f}{counted}"
        if not found.is_fraction:
            words = f"kept: {moved}{counted}"
        return Verdict(level="kept", drop_points=lost, words=words)
    advice, command = _instead(report)
    words = f"lost {lost:.4g} points, where chance alone gives {100 * chance:.1f}{counted}"
    if not found.is_fraction:
        words = f"lost {lost:.4g}% of the metric ({moved}){counted}"
    return Verdict(level="lost", drop_points=lost, words=words, advice=advice, command=command)


def _instead(report: Report) -> tuple[str, str]:
    """Return what loses less than a run that lost."""
    recipe = report.recipe
    epochs = max((_epochs(held) for held in report.used.values()), default=0)
    if epochs:
        return "train for longer, prune less, or take more bits", _run("--epochs", 2 * epochs)
    if recipe.get("prune") is not None:
        return (
            "let the network train while it is pruned (a training part, no --epochs 0), "
            "or prune less",
            _run("--prune", 0.3),
        )
    samples = "" if _has_samples(report) else ", or give samples: --calibration DIR"
    if recipe.get("target_bytes") is not None:
        size = report.artifact_bytes
        return f"give it more bytes{samples}", _run("--target-bytes", size + size // 3)
    return f"take more bits{samples}", _run("--quantize", "8bit")


def _unmeasured(report: Report) -> Verdict:
    reason = report.accuracy.reason or "no data was given"
    weights = report.used.get("weights", report.recipe.get("weights"))
    if weights == "random":
        words = "not measured: random weights, only the sizes say something"
        return Verdict(level="unmeasured", drop_points=None, words=words)
    if all(report.recipe.get(row.name) is None for row in PASSES):
        words = f"not measured ({reason}), and no weight was changed"
        return Verdict(level="unmeasured", drop_points=None, words=words)
    zeros, values = _zeros(report), _values(report)
    too_sparse, ruins, harms = _RUINS_ZEROS, _RUINS_VALUES, _HARMS_VALUES
    if _has_samples(report):
        too_sparse, ruins, harms = _RUINS_ZEROS_CANCELLED, _RUINS_CANCELLED, _HARMS_CANCELLED
    done = " and ".join(
        text
        for text, is_so in (
            (f"{100 * zeros:.0f}% of the weights are zero", zeros > _HARMS_ZEROS),
            (f"layers have {values} values or fewer", values <= harms),
        )
        if is_so
    )
    advice = "measure it"
    if done:
        advice = "measure it; with a training part, the network is trained for what was done to it"
    command = _run("--task", "imagefolder", "--data", "DIR") if _takes_images(report) else None
    if zeros > too_sparse or values <= ruins:
        words = f"not measured, and almost surely ruined: without training, {done}"
        return Verdict(
            level="ruined", drop_points=None, words=words, advice=advice, command=command
        )
    likely = f"; small networks lose much where, without training, {done}" if done else ""
    words = f"not measured{likely}"
    return Verdict(
        level="unmeasured", drop_points=None, words=words, advice=advice, command=command
    )


def _zeros(report: Report) -> float:
    """Return the share of zeros among the weights that pruning may change."""
    if report.recipe.get("prune") is None:
        return 0.0
    layers = [layer for layer in report.layers if layer.skipped is None]
    weights = sum(layer.weights for layer in layers)
    return 1 - sum(layer.nonzero for layer in layers) / weights if weights else 0.0


def _values(report: Report) -> int:
    """Return how many values the layers have that hold half of the shared weights, or more."""
    if all(report.recipe.get(name) is None for name in ("quantize", "target_bytes")):
        return 1 << 16
    layers = sorted(
        (layer for layer in report.layers if layer.skipped is None),
        key=lambda layer: layer.distinct,
    )
    half, seen = sum(layer.weights for layer in layers) / 2, 0
    for layer in layers:
        seen += layer.weights
        if seen >= half:
            return layer.distinct
    return 1 << 16


def _takes_images(report: Report) -> bool:
    match report.used.get("inputs"):
        case [str(shape)]:
            return shape.split("x")[0] in ("1", "3") and shape.count("x") == 2
        case _:
            return False


def _has_samples(report: Report) -> bool:
    """Return whether passes looked at samples of the data."""
    return report.used.get("samples") not in (None, "made up")


def _epochs(held: object) -> int:
    """Return the epochs of a pass's training, as `used` tells its settings."""
    match held:
        case {"train": {"epochs": int(epochs)}}:
            return epochs
        case _:
            return 0


def _run(*options: object) -> str:
    words = ["compress", "run", "--recipe", "recipe.yaml", *map(str, options), "--out", "again"]
    return shlex.join(words)


def to_mapping(judged: Verdict) -> Mapping[str, object]:
    """Return a verdict as JSON's types."""
    advice = [text for text in (judged.advice, judged.command) if text]
    return {
        "level": judged.level,
        "drop_points": judged.drop_points,
        "words": judged.words,
        "advice": ": ".join(advice) or None,
    }

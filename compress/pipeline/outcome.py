"""What the stages left, put together as the report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from compress import files
from compress import recipe as recipes
from compress.artifact.archive import Archive
from compress.errors import MissingExtraError
from compress.measure import size
from compress.pipeline.data import Data
from compress.recipe import Recipe
from compress.references.subject import Subject
from compress.report import page
from compress.report.data import (
    Accuracy,
    Histogram,
    Layer,
    LayerHistograms,
    Ledger,
    Parity,
    Report,
    Stage,
    StepAccuracy,
)

_PACKAGES = (
    "compress-toolkit",
    "torch",
    "torch-pruning",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
    "numba",
)

Facts = Mapping[str, Any]


def report(
    recipe: Recipe,
    subject: Subject,
    data: Data | None,
    device: str,
    file: Archive,
    facts: Mapping[str, Facts],
    digests: Mapping[str, str],
    used: Mapping[str, Any],
) -> Report:
    """Put a run's facts together.

    Args:
        recipe: of the run.
        subject: what it worked on.
        data: that was measured on.
        device: that was trained on.
        file: that ships.
        facts: of each stage, by name, in order.
        digests: of the results, by their names.
        used: settings, see `used.used`.
    """
    return Report(
        model=subject.name,
        task=data.task.name if data is not None else None,
        seed=recipe.seed,
        recipe=recipes.to_mapping(recipe),
        versions=versions(),
        device=device,
        params=facts["dense"]["params"],
        dense_bytes=facts["dense"]["bytes"],
        artifact_bytes=file.container.n_bytes,
        paper_bytes=size.paper_bytes(file),
        ledger=Ledger(**{kind: file.ledger[kind] for kind in Ledger.__dataclass_fields__}),
        accuracy=_accuracy(data, facts),
        parity=Parity(
            max_abs=facts["check"]["max_abs"],
            max_rel=facts["check"]["max_rel"],
            tolerance=subject.tolerance,
        ),
        stages=tuple(
            Stage(
                name=name,
                seconds=stage["seconds"],
                peak_rss_bytes=stage["peak_rss_bytes"],
                size_bytes=stage.get("size_bytes"),
                notes=tuple(stage.get("notes", ())),
                figures=stage.get("figures", {}),
            )
            for name, stage in facts.items()
        ),
        layers=_layers(file, facts),
        histograms=_histograms(facts),
        files=digests,
        used=used,
    )


def write(done: Report, out: Path) -> None:
    """Write report.json, and report.html where what draws it is installed."""
    files.write_text(out / "report.json", done.to_json())
    try:
        files.write_text(out / "report.html", page.render(done))
    except MissingExtraError:
        (out / "report.html").unlink(missing_ok=True)  # one of an earlier run would be wrong


def _accuracy(data: Data | None, facts: Mapping[str, Facts]) -> Accuracy:
    if data is None:
        reason = "no task was given: name one with --task, or measure the file with compress eval"
        return Accuracy(metric="accuracy", dense=None, compressed=None, reason=reason)
    metric = data.task.metric
    return Accuracy(
        metric=metric.name,
        is_fraction=metric.is_fraction,
        higher_is_better=metric.higher_is_better,
        dense=facts["dense"]["accuracy"]["test"],
        compressed=facts["check"]["accuracy"]["test"],
        part="test",
        n=len(data.test),
        steps=tuple(
            StepAccuracy(stage=name, part="validation", value=stage["accuracy"]["validation"])
            for name, stage in facts.items()
            if "validation" in stage.get("accuracy", {})
        ),
    )


def _layers(file: Archive, facts: Mapping[str, Facts]) -> tuple[Layer, ...]:
    kinds: Mapping[str, str] = facts["export"]["kinds"]
    reasons: dict[str, str] = dict(facts["export"]["unchanged"])
    notes: dict[str, str] = {}
    for stage in facts.values():
        for name, reason in stage.get("skipped", {}).items():
            reasons.setdefault(name, reason)
        notes |= stage.get("layer_notes", {})
    return tuple(
        Layer(
            name=tensor.name,
            kind=kinds.get(tensor.name, "other"),
            shape=tensor.shape,
            weights=tensor.weights,
            nonzero=tensor.nonzero,
            distinct=tensor.distinct,
            bytes=tensor.n_bytes,
            pattern=facts["export"]["patterns"].get(tensor.name),
            skipped=reasons.get(tensor.name),
            note=notes.get(tensor.name),
        )
        for tensor in size.tensor_sizes(file)
    )


def _histograms(facts: Mapping[str, Facts]) -> tuple[LayerHistograms, ...]:
    before, after = facts["dense"]["histograms"], facts["export"]["histograms"]
    centroids = facts["export"]["centroids"]
    return tuple(
        LayerHistograms(
            name=name,
            before=msgspec.convert(before[name], Histogram),
            after=msgspec.convert(after[name], Histogram),
            centroids=tuple(centroids.get(name, ())),
        )
        for name in before
        if name in after  # the largest ones are others where layers became smaller
    )


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide a result."""
    found = {}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

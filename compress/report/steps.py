"""One row a step: what it cost and gained, joined by name from the report's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from compress.report.data import DENSE, Part, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is known of the network after one step."""

    name: str
    bytes: int | None  #: the file's size, had it been packed here
    ratio: float | None  #: fp32 bytes / bytes
    accuracy: Mapping[Part, float]  #: the metric on each part it was measured on
    seconds: float | None  #: wall clock; None where the step is no stage
    peak_rss_bytes: int | None  #: None where the step is no stage


def steps(report: Report) -> tuple[Step, ...]:
    """Return the steps in the order of the run: the dense network, its stages, the file."""
    sizes = dict(report.sizes)
    stages = {stage.name: stage for stage in report.stages}
    accuracy = _accuracy(report)
    names = dict.fromkeys([DENSE, *stages, *sizes, *accuracy])
    return tuple(
        Step(
            name=name,
            bytes=sizes.get(name),
            ratio=report.dense_bytes / sizes[name] if sizes.get(name) else None,
            accuracy=accuracy.get(name, {}),
            seconds=stages[name].seconds if name in stages else None,
            peak_rss_bytes=stages[name].peak_rss_bytes if name in stages else None,
        )
        for name in names
    )


def parts(report: Report) -> tuple[Part, ...]:
    """Return the parts of the data that any step was measured on: train, validation, test."""
    seen = {part for step in steps(report) for part in step.accuracy}
    return tuple(part for part in get_args(Part) if part in seen)


def _accuracy(report: Report) -> dict[str, dict[Part, float]]:
    """The figures by step and part; the headline's two belong to the first and the last size."""
    measured: dict[str, dict[Part, float]] = {}
    for step in report.accuracy.steps:
        measured.setdefault(step.stage, {})[step.part] = step.value
    part = report.accuracy.part
    if part is not None:
        ends = ((DENSE, report.accuracy.dense), (report.sizes[-1][0], report.accuracy.compressed))
        for name, value in ends:
            if value is not None:
                measured.setdefault(name, {}).setdefault(part, value)
    return measured

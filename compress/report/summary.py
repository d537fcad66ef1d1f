"""The table that ends a run in the terminal: what each step cost and gained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from compress.report.data import Report
from compress.report.steps import Step, parts, steps
from compress.report.verdict import Level, Verdict, again, verdict
from compress.report.wording import change, duration, factor, figure, plain, size

if TYPE_CHECKING:
    from rich.console import RenderableType

_T = TypeVar("_T")

_STYLES: Mapping[Level, str] = {
    "kept": "green",
    "lost": "bold red",
    "unmeasured": "yellow",
    "ruined": "bold red",
}
_NONE = "-"  # a figure that was not taken; ASCII, as is all else here: any terminal prints it


def table(report: Report, folder: Path = Path()) -> RenderableType:
    """Return what `rich` prints: one row a step, the headline and the verdict, 80 columns wide.

    Args:
        report: of the run.
        folder: of the run, as the verdict's command names it.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    measured, is_fraction = parts(report), report.accuracy.is_fraction

    def told(value: float) -> str:
        return figure(value, is_fraction)

    rows = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    rows.add_column("step", overflow="fold")  # the one that gives way where it is narrow
    for heading in ("size", "ratio", *measured, "time", "memory"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for step in steps(report):
        accuracy = (_known(told, step.accuracy.get(part)) for part in measured)
        rows.add_row(Text(plain(step.name)), *_size(step), *accuracy, *_cost(step))
    judged = verdict(report)
    first, *others = ending(judged, folder)
    return Group(
        rows,
        Text(),
        *(Text(line) for line in headline(report)),
        Text(),
        Text(first, style=_STYLES[judged.level]),
        *(Text(line) for line in others),
    )


def headline(report: Report) -> tuple[str, ...]:
    """Return the run in a few plain lines: the file, the accuracy, the paper's accounting."""
    found = report.accuracy
    lines = [
        f"{plain(report.model)}: {size(report.dense_bytes)} -> {size(report.artifact_bytes)}, "
        f"{factor(report.ratio)} smaller ({report.artifact_bytes:,} B on disk)"
    ]
    if found.dense is not None and found.compressed is not None:
        moved = change(found.dense, found.compressed, found.is_fraction)
        place = f" on the {found.part} part" if found.part else ""
        before, after = (figure(v, found.is_fraction) for v in (found.dense, found.compressed))
        lines.append(f"{plain(found.metric)}{place}: {before} -> {after} ({moved})")
    else:
        lines.append(f"{plain(found.metric)}: not measured, {plain(found.reason or '')}")
    counted = f"{size(report.paper_bytes)}, {factor(report.paper_ratio)}"
    return (*lines, f"weights only, the paper's accounting: {counted}")


def ending(judged: Verdict, folder: Path) -> tuple[str, ...]:
    """Return a verdict in lines: what it is, what to do, and the command for that."""
    lines = [plain(judged.words)]
    if judged.advice is not None:
        lines.append(f"  {judged.advice}{':' if judged.command else ''}")
    if judged.command is not None:
        lines.append(f"  {again(judged.command, folder)}")
    return tuple(lines)


def _size(step: Step) -> tuple[str, str]:
    return _known(size, step.bytes), _known(factor, step.ratio)


def _cost(step: Step) -> tuple[str, str]:
    return _known(duration, step.seconds), _known(size, step.peak_rss_bytes)


def _known(text: Callable[[_T], str], value: _T | None) -> str:
    return _NONE if value is None else text(value)

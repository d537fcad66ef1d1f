"""`compress eval`: the metric of a compressed file on a task's test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from compress_zoo.tasks import NAMES

from compress.cli import names
from compress.cli.output import Json, print_json
from compress.errors import DataError
from compress.report import wording

if TYPE_CHECKING:
    from compress.runtime import Session
    from compress.tasks import Samples, Takes, Task

EXAMPLE = "compress eval runs/lenet-5/lenet-5.safetensors --task mnist"

Preprocess = Literal["file", "task"]

_TASKS = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed or .onnx file.")],
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE.py:NAME",
            help=f"Task to measure on: {_TASKS}, or a task in a file of yours.",
            autocompletion=names.tasks,
        ),
    ],
    data: Annotated[str | None, typer.Option(metavar="DIR", help="Root of the data sets.")] = None,
    preprocess: Annotated[
        Preprocess,
        typer.Option(
            metavar="file|task",
            help="How images become inputs: as the file tells, or as the task does by default.",
        ),
    ] = "file",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of ONNX Runtime.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a file on a task's test part; no torch is needed."""
    from compress.references import resolve_task
    from compress.runtime import load
    from compress.runtime.takes import takes_of

    root = names.data_root(data)
    chosen = resolve_task(task, root)
    session = load(file, threads=threads)
    takes = takes_of(session, file, preprocessing=preprocess == "file")
    if preprocess == "file":
        _require_told(chosen, takes)
    suited = chosen.suited(takes)
    samples = suited.load("test")
    if samples is None or len(samples) == 0:
        raise DataError(f"task {suited.name} has no test part in {root}")
    value = _measured(session, suited, samples)
    if as_json:
        print_json({"metric": suited.metric.name, "value": value, "n": len(samples)})
    else:
        told = wording.figure(value, suited.metric.is_fraction)
        typer.echo(f"{suited.metric.name} {told} on {len(samples):,} samples")


def _require_told(task: Task, takes: Takes) -> None:
    """Raise `DataError` where a file does not tell how an image becomes its input: none guesses."""
    from compress.tasks.images import ImageTask

    if isinstance(task, ImageTask) and takes.preprocessing is None:
        raise DataError(
            f"{takes.name} does not tell how an image becomes its input; measure the file that "
            f"compress run wrote, or take that of task {task.name} with --preprocess task"
        )


def _measured(session: Session, task: Task, samples: Samples) -> float:
    from compress.measure.sessions import evaluate_session

    labels = session.metadata.get("labels")
    known = [str(label) for label in labels] if isinstance(labels, list) else None
    return evaluate_session(session, task, samples, labels=known)

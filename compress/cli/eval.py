"""`compress eval`: the metric of a compressed file on a task's test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli import names
from compress.cli.output import Json, print_json
from compress.errors import DataError

if TYPE_CHECKING:
    from compress.preprocess import Preprocessing
    from compress.runtime import Session
    from zoo.tasks.task import Task

EXAMPLE = "compress eval runs/lenet-5/lenet-5.safetensors --task mnist"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed or .onnx file.")],
    task: Annotated[str, typer.Option(metavar="NAME", help="Task to measure on.")],
    data: Annotated[str | None, typer.Option(metavar="DIR", help="Root of the data sets.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of ONNX Runtime.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a file on a task's test part; no torch is needed."""
    from compress.measure.accuracy import top1
    from compress.runtime import load

    chosen, root = names.task(task), names.data_root(data)
    session = load(file, threads=threads)
    samples = chosen.load("test", root)
    if samples is None or len(samples) == 0:
        raise DataError(f"task {task} has no test part in {root}")
    value = top1(session, samples, _preprocessing(session, chosen)) / len(samples)
    if as_json:
        print_json({"metric": chosen.metric, "value": value, "n": len(samples)})
    else:
        typer.echo(f"{chosen.metric} {value:.2%} of {len(samples)}")


def _preprocessing(session: Session, task: Task) -> Preprocessing:
    """Return what the file tells, else (a plain .onnx file) what the task does."""
    if "preprocessing" in session.metadata:
        return session.preprocessing()
    from compress.preprocess import Preprocessing

    match session.inputs[0].shape:
        case (_, int(channels), int(height), int(width)):
            return Preprocessing.from_json(task.preprocessing((channels, height, width)))
        case shape:
            raise DataError(f"the network must take images, got an input of shape {shape}")

"""`compress eval`: the metric of a compressed file on a task's test part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli import names
from compress.cli.output import Json, print_json
from compress.errors import DataError

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

    chosen = names.task(task)
    session = load(file, threads=threads)
    preprocessing = session.preprocessing()
    samples = chosen.load("test", names.data_root(data))
    if samples is None:
        raise DataError(f"task {task} has no test part in {names.data_root(data)}")
    value = top1(session, samples, preprocessing) / len(samples)
    if as_json:
        print_json({"metric": chosen.metric, "value": value, "n": len(samples)})
    else:
        typer.echo(f"{chosen.metric} {value:.2%} of {len(samples)}")

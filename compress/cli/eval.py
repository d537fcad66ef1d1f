"""`compress eval`: the metric of a compressed file on a task's test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from compress_zoo.tasks import MEASURED

from compress.cli import names
from compress.cli.output import Json, print_json
from compress.errors import DataError

if TYPE_CHECKING:
    from compress_zoo.tasks.stsb import Stsb
    from compress_zoo.tasks.task import Task

    from compress.preprocess import Preprocessing
    from compress.runtime import Session

EXAMPLE = "compress eval runs/lenet-5/lenet-5.safetensors --task mnist"

Preprocess = Literal["file", "task"]

_TASKS = f"{', '.join(MEASURED[:-1])} or {MEASURED[-1]}"
_TOKENIZER = "tokenizer.json"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed or .onnx file.")],
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"Task to measure on: {_TASKS}.", autocompletion=names.tasks
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
    from compress_zoo.tasks.stsb import Stsb

    from compress.runtime import load

    chosen, root = names.task(task), names.data_root(data)
    session = load(file, threads=threads)
    if isinstance(chosen, Stsb):
        value, count = _spearman(session, file, chosen, root)
        told = f"{chosen.metric} {100 * value:.2f} on {count:,} pairs"
    else:
        value, count = _accuracy(
            session, chosen, root, _preprocessing(session, file, chosen, preprocess)
        )
        told = f"{chosen.metric} {value:.2%} of {count:,} images"
    if as_json:
        print_json({"metric": chosen.metric, "value": value, "n": count})
    else:
        typer.echo(told)


def _accuracy(
    session: Session, task: Task, root: Path, preprocessing: Preprocessing
) -> tuple[float, int]:
    from compress.measure.accuracy import top1
    from compress.measure.classes import class_numbers

    samples = task.load("test", root)
    if samples is None or len(samples) == 0:
        raise DataError(f"task {task.name} has no test part in {root}")
    names, known = task.classes(root), session.metadata.get("labels")
    classes = [str(label) for label in known] if isinstance(known, list) else list(names)
    numbers = class_numbers(names, classes, set(samples.labels.tolist()))
    right = top1(
        session,
        samples,
        preprocessing,
        classes=classes,
        labels=numbers[samples.labels],
    )
    return right / len(samples), len(samples)


def _spearman(session: Session, file: Path, task: Stsb, root: Path) -> tuple[float, int]:
    from compress.artifact import archive
    from compress.measure.similarity import spearman_of

    tokenizer = archive.read(file).file(_TOKENIZER) if file.suffix != ".onnx" else None
    if tokenizer is None:
        raise DataError(
            f"{file} holds no {_TOKENIZER}, without which task {task.name} has no input"
        )
    pairs = task.pairs("test", root)
    return spearman_of(session, tokenizer, pairs), len(pairs)


def _preprocessing(session: Session, file: Path, task: Task, source: Preprocess) -> Preprocessing:
    """Return how images become inputs; what the file does not tell is not guessed."""
    if source == "file":
        if "preprocessing" not in session.metadata:
            raise DataError(
                f"{file} does not tell how an image becomes its input; measure the file that "
                f"compress run wrote, or take that of task {task.name} with --preprocess task"
            )
        return session.preprocessing()
    from compress.preprocess import Preprocessing

    match [value.shape for value in session.inputs]:
        case [(_, int(channels), int(height), int(width))]:
            return Preprocessing.from_json(task.preprocessing((channels, height, width)))
        case shapes:
            raise DataError(
                f"the network must take images, got inputs of shape {', '.join(map(str, shapes))}"
            )

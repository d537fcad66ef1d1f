"""`compress run`: a network to a file that ships."""

from __future__ import annotations

import inspect
import math
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress import recipe as recipes
from compress import settings
from compress.cli import names, signals
from compress.cli.output import Json, fail, show
from compress.cli.progress import Progress
from compress.errors import require
from compress.passes import table
from compress.report.verdict import verdict

if TYPE_CHECKING:
    from compress.recipe import Recipe
    from compress.report.data import Report

EXAMPLE = "compress run --model resnet50 --prune 0.9 --quantize 5bit"

# The run's own settings: name, type, what is shown of a value, what completes it. Those of passes
# stand between the two.
_Completion = Callable[[str], list[str]]
_BEFORE: tuple[tuple[str, type, str, _Completion | None], ...] = (
    ("model", str, "REF", names.models),
    ("weights", str, "pretrained|random|trained|FILE", None),
    ("input", str, "CxHxW", None),
    ("task", str, "NAME|FILE.py:NAME", names.tasks),
    ("data", str, "DIR", None),
    ("calibration", str, "DIR|FILE", None),
)
_BEHIND: tuple[tuple[str, type, str, _Completion | None], ...] = (
    ("coder", str, "huffman|best", None),
    ("epochs", int, "N", None),
    ("seed", int, "N", None),
    ("device", str, "auto|cpu|cuda", None),
)


def command(
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings in YAML; options given beside it win."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the results.", show_default="runs/NAME"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a run that was ended; one that is done stays."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Begin anew over an earlier run in the folder.")
    ] = False,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="Exit with 1 if more points of the metric are lost; files are written all the "
            "same. With --quantize auto, what it may lose.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    **options: str | int | None,
) -> None:
    """Take a network to a compressed file, measured step by step."""
    given = {key: value for key, value in options.items() if value is not None}
    if max_drop is not None:
        require(math.isfinite(max_drop), "max-drop", "a number of points", max_drop)
    chosen = _recipe(recipe, given, max_drop)
    report, folder = _carried_out(chosen, out, resume=resume, force=force)
    if as_json:
        typer.echo(report.to_json(), nl=False)
    else:
        _print(report, folder)
    lost = verdict(report).drop_points
    if max_drop is not None and lost is not None and lost > max_drop:
        fail(f"lost {lost:.4g} points, more than --max-drop {max_drop:g}")


def _carried_out(
    chosen: Recipe, out: Path | None, *, resume: bool, force: bool
) -> tuple[Report, Path]:
    from compress.pipeline.named import folder_of, named

    subject, task = named(chosen)
    folder = folder_of(subject, out)
    progress = Progress()
    with _ending_well(folder):
        from compress.pipeline.run import run

        report = run(
            chosen, subject, folder, task=task, resume=resume, force=force, notify=progress
        )
    if not progress.has_begun:
        typer.echo(f"the run in {folder} is done already: this is what it gave", err=True)
    return report, folder


def _print(report: Report, folder: Path) -> None:
    from compress.report.summary import table

    show(table(report, folder))
    page = folder / "report.html"
    typer.echo(f"\nfile    {folder / report.model}.safetensors")
    typer.echo(f"report  {page if page.exists() else folder / 'report.json'}")


def _recipe(file: Path | None, given: Mapping[str, Any], max_drop: float | None) -> Recipe:
    data: dict[str, Any] = recipes.to_mapping(recipes.read(file)) if file is not None else {}
    shorts = {row.name: row.short for row in table.PASSES}
    for key, value in given.items():
        section = data.get(key)
        # A new number leaves the section's other settings as the recipe has them.
        data[key] = {**section, shorts[key]: value} if isinstance(section, dict) else value
    if "model" not in data:
        raise typer.BadParameter("give --model REF, or --recipe FILE with a model in it")
    chosen = recipes.from_mapping(data)
    if max_drop is None:
        return chosen
    bounded = [
        row.name for row in chosen.rows if getattr(chosen.passes[row.name], "is_bounded", False)
    ]
    is_told = chosen.task is not None or bool(bounded)
    require(is_told, "max-drop", "given with --task to measure on", max_drop)
    mapping = recipes.to_mapping(chosen)
    for name in bounded:
        mapping[name] = {**mapping[name], "max_drop": max_drop}
    return recipes.from_mapping(mapping)


@contextmanager
def _ending_well(folder: Path) -> Iterator[None]:
    """Tell how to go on where the run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        words = [word for word in sys.argv[1:] if word not in ("--resume", "--force")]
        again = shlex.join(["compress", *words, "--resume"])
        if not (folder / ".work").is_dir():
            fail("interrupted; nothing was begun", signals.code())
        fail(f"interrupted; what is done is kept in {folder}, go on with: {again}", signals.code())


def _with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a run's settings and of all passes, before its own."""
    signature = inspect.signature(function, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    made = signature.replace(
        parameters=[*_settings(), *(p.replace(kind=p.KEYWORD_ONLY) for p in own)]
    )
    function.__signature__ = made  # type: ignore[attr-defined]  # what inspect reads first
    function.__annotations__ = {p.name: p.annotation for p in made.parameters.values()}
    return function


def _settings() -> Iterator[inspect.Parameter]:
    told = settings.documented(recipes.Recipe)
    for name, kind, shown, completion in _BEFORE:
        yield _option(name, kind, shown, told[name], completion)
    for row in table.PASSES:
        yield _option(row.name, str, row.metavar, inspect.getdoc(row.settings) or "", None)
    for name, kind, shown, completion in _BEHIND:
        yield _option(name, kind, shown, told[name], completion)


def _option(
    name: str, kind: type, shown: str, said: str, completion: _Completion | None
) -> inspect.Parameter:
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        metavar=shown,
        help=f"{said[:1].upper()}{said[1:].removesuffix('.')}.",
        show_default=False,
        autocompletion=completion,
    )
    hint = Annotated[kind | None, option]  # type: ignore[valid-type]  # a type of the table
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


command = _with_settings(command)

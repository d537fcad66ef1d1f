"""`compress run`: a named network to a file that ships."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress import recipe as recipes
from compress.cli import names, signals
from compress.cli.output import Json, fail, show
from compress.cli.progress import Progress
from compress.errors import require
from compress.report.verdict import verdict

if TYPE_CHECKING:
    from compress.recipe import Recipe
    from compress.report.data import Report

EXAMPLE = "compress run --model resnet50 --prune 0.9 --quantize 5bit"

_HELP = recipes.documented(recipes.Recipe)


def _option(
    name: str,
    show: str,
    flag: str | None = None,
    completion: Callable[[str], list[str]] | None = None,
) -> Any:  # noqa: ANN401  (what typer takes)
    text = _HELP[name][:1].upper() + _HELP[name][1:] + "."
    return typer.Option(
        f"--{flag or name}", metavar=show, help=text, show_default=False, autocompletion=completion
    )


def command(
    model: Annotated[str | None, _option("model", "NAME", completion=names.models)] = None,
    weights: Annotated[str | None, _option("weights", "pretrained|random|trained|FILE")] = None,
    task: Annotated[str | None, _option("task", "NAME", completion=names.tasks)] = None,
    data: Annotated[str | None, _option("data", "DIR")] = None,
    prune: Annotated[str | None, _option("prune", "S|KIND=S,…")] = None,
    quantize: Annotated[str | None, _option("quantize", "N|KIND=N,…")] = None,
    target_bytes: Annotated[str | None, _option("budget", "N|NMB|NMiB", "target-bytes")] = None,
    coder: Annotated[str | None, _option("coder", "huffman|best")] = None,
    epochs: Annotated[int | None, _option("epochs", "N")] = None,
    seed: Annotated[int | None, _option("seed", "N")] = None,
    device: Annotated[str | None, _option("device", "auto|cpu|cuda")] = None,
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
            help="Exit with 1 if more points of accuracy are lost; files are written all the same.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take a named network to a compressed file, measured step by step."""
    given = {
        "model": model, "weights": weights, "task": task, "data": data, "prune": prune,
        "quantize": quantize, "budget": target_bytes, "coder": coder, "epochs": epochs,
        "seed": seed, "device": device,
    }  # fmt: skip
    chosen = _recipe(recipe, {key: value for key, value in given.items() if value is not None})
    folder = out or Path("runs") / chosen.model
    if max_drop is not None:
        require(math.isfinite(max_drop), "max-drop", "a number of points", max_drop)
        require(chosen.task is not None, "max-drop", "given with --task to measure on", max_drop)
    with _ending_well(folder):
        subject = names.subject(chosen)
        from compress.pipeline.run import run

        progress = Progress()
        report = run(chosen, subject, folder, resume=resume, force=force, notify=progress)
    if not progress.has_begun:
        typer.echo(f"the run in {folder} is done already: this is what it gave", err=True)
    if as_json:
        typer.echo(report.to_json(), nl=False)
    else:
        _print(report, folder)
    lost = verdict(report).drop_points
    if max_drop is not None and lost is not None and lost > max_drop:
        fail(f"lost {lost:.4g} points, more than --max-drop {max_drop:g}")


def _print(report: Report, folder: Path) -> None:
    from compress.report.summary import table

    show(table(report, folder))
    page = folder / "report.html"
    typer.echo(f"\nfile    {folder / report.model}.safetensors")
    typer.echo(f"report  {page if page.exists() else folder / 'report.json'}")


def _recipe(file: Path | None, given: Mapping[str, Any]) -> Recipe:
    data: dict[str, Any] = recipes.to_mapping(recipes.read(file)) if file is not None else {}
    for key, value in given.items():
        section = data.get(key)
        # A new number leaves the section's other settings as the recipe has them.
        data[key] = {**section, _NUMBER[key]: value} if isinstance(section, dict) else value
    if "model" not in data:
        raise typer.BadParameter("give --model NAME, or --recipe FILE with a model in it")
    return recipes.from_mapping(data)


_NUMBER = {"prune": "sparsity", "quantize": "bits", "budget": "target_bytes"}


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

"""`compress run`: a named network to a file that ships."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress import recipe as recipes
from compress.cli import names, signals
from compress.cli.output import Json, fail, notes, show

if TYPE_CHECKING:
    from compress.recipe import Recipe

EXAMPLE = "compress run --model resnet50 --prune 0.9 --quantize 5bit"

_HELP = recipes.documented(recipes.Recipe)


def _option(name: str, show: str, flag: str | None = None) -> Any:  # noqa: ANN401  (what typer takes)
    text = _HELP[name][:1].upper() + _HELP[name][1:] + "."
    return typer.Option(f"--{flag or name}", metavar=show, help=text, show_default=False)


def command(
    model: Annotated[str | None, _option("model", "NAME")] = None,
    weights: Annotated[str | None, _option("weights", "pretrained|random|trained|FILE")] = None,
    task: Annotated[str | None, _option("task", "NAME")] = None,
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
        bool, typer.Option("--resume", help="Go on with a run that was ended.")
    ] = False,
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
    with _ending_well(folder):
        subject = names.subject(chosen)
        from compress.pipeline.run import run

        report = run(chosen, subject, folder, resume=resume, notify=_Progress())
    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    from compress.report.summary import table

    show(table(report))
    page = folder / "report.html"
    typer.echo(f"\nfile    {folder / subject.name}.safetensors")
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
        words = [word for word in sys.argv[1:] if word != "--resume"]
        again = shlex.join(["compress", *words, "--resume"])
        if not (folder / ".work").is_dir():
            fail("interrupted; nothing was begun", signals.code())
        fail(f"interrupted; what is done is kept in {folder}, go on with: {again}", signals.code())


class _Progress:
    """Bars on a terminal; a line a stage elsewhere."""

    def __init__(self) -> None:
        self._console = notes()
        self._bars: Any = None

    def step(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Move the stage's bar."""
        if self._bars is not None:
            text = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
            self._bars.update(self._bar, completed=done, total=total, figures=text)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show a stage while it lasts."""
        start = time.perf_counter()
        if self._console.is_terminal:
            from rich import progress

            columns = (
                progress.TextColumn("{task.description:8}"),
                progress.BarColumn(),
                progress.TimeElapsedColumn(),
                progress.TextColumn("{task.fields[figures]}"),
            )
            with progress.Progress(*columns, console=self._console, transient=True) as self._bars:
                self._bar = self._bars.add_task(name, total=None, figures="")
                try:
                    yield
                finally:
                    self._bars = None
        else:
            yield
        self._console.print(f"{name:8} {time.perf_counter() - start:7.1f} s")

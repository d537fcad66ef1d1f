"""What commands print, and where: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from compress.artifact.settings import Coder
from compress.report.wording import factor, size

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.table import Table


def _file(text: str) -> Path:
    """Read the name of a file that is going to be written."""
    if not text or text.endswith(("/", os.sep)):
        raise typer.BadParameter(f"must name a file and not a folder, got {text!r}")
    return Path(text)


def out_option(metavar: str, what: str, default: str) -> Any:  # noqa: ANN401  (what typer takes)
    """Return the option that says where a file goes."""
    return typer.Option(
        "-o",
        "--out",
        metavar=metavar,
        parser=_file,
        help=f"{what}; its folder is made where there is none.",
        show_default=default,
    )


Packed = Annotated[
    Path | None, out_option("FILE", "The compressed file", "NAME.packed.safetensors beside it")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a file that is there, whatever it is.")
]
CoderName = Annotated[
    Coder,
    typer.Option(
        metavar="huffman|best",
        help="How codes and positions are written; best is smaller and slower to open.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_PIPED_WIDTH = 1000  # columns: what is not for eyes is not cut to fit


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show(what: RenderableType) -> None:
    """Print a table or a text."""
    from rich.console import Console

    piped = not sys.stdout.isatty()
    Console(
        markup=False, highlight=False, soft_wrap=piped, width=_PIPED_WIDTH if piped else None
    ).print(what)


def notes() -> Console:
    """Return the console on stderr: progress and notes."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False)


def grid(*columns: str) -> Table:
    """Return an empty table; columns that end in ">" are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        title = column.removesuffix(">")
        right = column.endswith(">")
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(title, justify=justify, no_wrap=right, overflow="fold")
    return table


def tell_packed(target: Path, before: int, after: int, *, as_json: bool) -> None:
    """Print where a compressed file is, and the bytes before and after."""
    if as_json:
        print_json({"file": str(target), "source_bytes": before, "artifact_bytes": after})
    else:
        typer.echo(f"{target}: {size(before)} to {size(after)}, {factor(before / after)}")


def fail(message: str, code: int = 1) -> NoReturn:
    """Print one line on stderr and leave."""
    line = " ".join(message.split())
    typer.echo(f"compress: {line}", err=True)
    sys.exit(code)

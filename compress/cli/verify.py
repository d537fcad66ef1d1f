"""`compress verify`: is a compressed file whole and unaltered?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Json, print_json

EXAMPLE = "compress verify model.safetensors"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed file.")],
    as_json: Json = False,
) -> None:
    """Check a file's SHA-256, and decode all of it."""
    from compress.artifact import archive

    found = archive.read(file)
    n_tensors = sum(1 for _ in archive.decode(found))
    facts = found.container.metadata
    if as_json:
        print_json({"file": str(file), "sha256": facts["sha256"], "tensors": n_tensors})
    else:
        typer.echo(f"{file}: whole, {n_tensors} tensors, SHA-256 {facts['sha256']}")

"""`compress unpack`: the model that a compressed file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Force, Json, out_option, print_json

EXAMPLE = "compress unpack model.safetensors -o model.onnx"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed file.")],
    out: Annotated[
        Path | None, out_option("MODEL", "The model", "NAME.unpacked.onnx or .safetensors")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write the model that was packed, bit for bit."""
    from compress.artifact import convert

    target = convert.unpack(file, out, force=force)
    if as_json:
        print_json({"file": str(target), "bytes": convert.n_bytes(target)})
    else:
        typer.echo(str(target))

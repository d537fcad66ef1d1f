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
    """Write the model that was packed, and files that stood beside it, bit for bit."""
    from compress.artifact import convert

    written = convert.unpack_all(file, out, force=force)
    if as_json:
        n_bytes = sum(path.stat().st_size for path in written)
        names = [str(path) for path in written]
        print_json({"file": names[0], "files": names, "bytes": n_bytes})
    else:
        for path in written:
            typer.echo(str(path))

"""`compress pack`: any model file, losslessly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import CoderName, Force, Json, Packed, tell_packed

EXAMPLE = "compress pack model.onnx -o small.safetensors"


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx or .safetensors file.")],
    out: Packed = None,
    coder: CoderName = "huffman",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pack a model into a compressed file; unpack gives it back bit for bit."""
    from compress.artifact import convert

    target = out or convert.packed_beside(model)
    packed = convert.pack(model, target, coder=coder, force=force)
    before, after = sum(file.stat().st_size for file in packed), target.stat().st_size
    if len(packed) > 1 and not as_json:
        count = len(packed) - 1
        typer.echo(f"{model} and {count} {'file' if count == 1 else 'files'} beside it", err=True)
    tell_packed(target, before, after, as_json=as_json)
    if after >= before and not as_json:
        typer.echo("packing does not help: the values hardly repeat and few are zero", err=True)

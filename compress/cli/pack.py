"""`compress pack`: any model file, losslessly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Json, print_json, size

EXAMPLE = "compress pack model.onnx -o model.safetensors"


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx or .safetensors file.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="The compressed file.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Pack a model into a compressed file; unpack gives it back bit for bit."""
    from compress.artifact import convert

    ending = ".safetensors" if model.suffix == ".onnx" else ".packed.safetensors"
    target = out or model.with_suffix(ending)
    convert.pack(model, target)
    before, after = convert.n_bytes(model), target.stat().st_size
    if as_json:
        print_json({"file": str(target), "source_bytes": before, "artifact_bytes": after})
        return
    typer.echo(f"{target}: {size(before)} to {size(after)}, {before / after:.2f}x")
    if after >= before:
        typer.echo("packing does not help: the values hardly repeat and few are zero", err=True)

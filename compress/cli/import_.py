"""`compress import`: Song Han's published format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli import names
from compress.cli.output import CoderName, Force, Json, Packed, tell_packed

EXAMPLE = "compress import compressed_SqueezeNet.net --model squeezenet1_0"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE.net", help="The published file.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The network that it holds.", autocompletion=names.models
        ),
    ],
    out: Packed = None,
    coder: CoderName = "huffman",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read Song Han's published format into a compressed file, weights bit for bit."""
    from compress.artifact.convert import packed_beside
    from compress.pipeline.published import import_net
    from compress.references import resolve

    subject = resolve(model)
    target = out or packed_beside(file)
    import_net(file, subject, target, coder=coder, force=force)
    tell_packed(target, file.stat().st_size, target.stat().st_size, as_json=as_json)

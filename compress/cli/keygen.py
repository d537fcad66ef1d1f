"""`compress keygen`: a pair of keys to sign with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Json, print_json

EXAMPLE = "compress keygen release"


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of both files, without an ending.")],
    as_json: Json = False,
) -> None:
    """Make a key that signs, NAME.key, and one that checks, NAME.pub.

    NAME.key is encrypted where $COMPRESS_KEY_PASSWORD is set.
    """
    from compress.artifact import signature

    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    password = os.environ.get(signature.PASSWORD)
    signature.make_keys(private, public, password)
    if as_json:
        print_json({"private": str(private), "public": str(public), "encrypted": bool(password)})
    else:
        typer.echo(f"{private}: signs; keep it secret{', it is not encrypted' * (not password)}")
        typer.echo(f"{public}: checks what the other has signed; give it to the devices")

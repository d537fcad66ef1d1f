"""`compress keygen`: a pair of keys to sign with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Force, Json, print_json

EXAMPLE = "compress keygen release"


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of both files, without an ending.")],
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a key that signs, NAME.key, and one that checks, NAME.pub.

    NAME.key is encrypted where $COMPRESS_KEY_PASSWORD is set.
    """
    from compress.artifact import signature

    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    password = os.environ.get(signature.PASSWORD)
    is_new = signature.make_keys(private, public, password, force=force)
    encrypted = bool(password) if is_new else signature.is_encrypted(private)
    if as_json:
        print_json({"private": str(private), "public": str(public), "encrypted": encrypted})
    else:
        was_there = "" if is_new else " was there alone and stays;"
        plain = "" if encrypted else ", it is not encrypted"
        typer.echo(f"{private}:{was_there} signs; keep it secret{plain}")
        typer.echo(f"{public}: checks what the other has signed; give it to the devices")

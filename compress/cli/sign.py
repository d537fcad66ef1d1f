"""`compress sign`: a signature beside a compressed file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Force, Json, out_option, print_json

EXAMPLE = "compress sign model.safetensors --key release.key"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed file.")],
    key: Annotated[
        Path, typer.Option(metavar="FILE.key", help="The private key, ECDSA P-256 in PEM.")
    ],
    out: Annotated[
        Path | None, out_option("FILE.sig", "The signature", "FILE.sig beside it")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Sign all bytes of a file; verify --key checks it, and openssl does.

    The password of an encrypted key is taken from $COMPRESS_KEY_PASSWORD.
    """
    from compress.artifact import signature

    target = out or signature.beside(file)
    signature.sign(file, key, target, os.environ.get(signature.PASSWORD), force=force)
    if as_json:
        print_json({"file": str(file), "signature": str(target)})
    else:
        typer.echo(f"{target}: the signature of {file}")

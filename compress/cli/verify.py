"""`compress verify`: is a compressed file whole and unaltered, and who made it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Json, print_json

EXAMPLE = "compress verify model.safetensors --key release.pub"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed file.")],
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pub", help="The signer's public key, ECDSA P-256 in PEM."),
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE.sig", help="By default, beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a file's signature if a key is given, and the digest it holds, and decode all of it."""
    from compress.artifact import archive
    from compress.artifact import signature as signatures

    signed = signature or signatures.beside(file)
    if key is not None:  # before anything of the file is parsed
        signatures.verify(file, key, signed)
        state, words = "valid", f"signed by the owner of {key}, in {signed}"
    elif signature is not None:
        raise typer.BadParameter("give the signer's --key, too")
    elif signed.exists():
        state, words = "unchecked", f"signature not checked: {signed}; give the signer's --key"
    else:
        state, words = "missing", f"not signed: there is no {signed}"
    found = archive.read(file)
    n_tensors = sum(1 for _ in archive.decode(found))
    digest = found.container.metadata["sha256"]  # which is not that of the file: it is inside
    if as_json:
        facts = {"tensors": n_tensors, "signature": state}
        print_json({"file": str(file), "contents_sha256": digest, **facts})
    else:
        typer.echo(f"{file}: whole, {n_tensors} tensors, digest of the contents {digest}")
        typer.echo(words)

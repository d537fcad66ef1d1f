"""`compress cache`: what runs have kept, and its removal."""

from __future__ import annotations

from typing import Annotated

import typer

from compress.cli.output import Json, print_json
from compress.report.wording import size

EXAMPLE = "compress cache --clear"


def command(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    as_json: Json = False,
) -> None:
    """Show what the stages of earlier runs have left, by which runs are not done twice."""
    from compress.pipeline.cache import Cache

    cache = Cache()
    entries = cache.entries()
    n_bytes = sum(entries.values())
    removed = cache.clear() if clear else 0
    if as_json:
        print_json(
            {
                "folder": str(cache.folder),
                "entries": len(entries),
                "bytes": n_bytes,
                "limit_bytes": cache.limit_bytes,
                "removed_bytes": removed,
            }
        )
        return
    count = "1 stage" if len(entries) == 1 else f"{len(entries)} stages"
    told = f"{count}, {size(n_bytes)}"
    if clear:
        typer.echo(f"removed {told} from {cache.folder}")
    else:
        limit = f"of at most {size(cache.limit_bytes)} ($COMPRESS_CACHE_BYTES)"
        typer.echo(f"{told} {limit} in {cache.folder}")

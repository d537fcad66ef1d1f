"""`compress zoo`: the networks that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress.cli.output import Json, grid, print_json, show

if TYPE_CHECKING:
    from zoo.entry import Entry

EXAMPLE = "compress zoo --family resnet"


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One row, whole.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    as_json: Json = False,
) -> None:
    """List the networks of the zoo, or show one."""
    from zoo import registry

    entries = (registry.get(name),) if name is not None else registry.entries(family)
    rows = [_row(entry) for entry in entries]
    if as_json:
        print_json({"rows": rows})
        return
    if name is not None:
        table = grid("fact", "value")
        for key, value in rows[0].items():
            table.add_row(key, f"{value:,}" if isinstance(value, int) else str(value))
        show(table)
        return
    table = grid("name", "family", "task", "source", "params>", "MACs>", "paper")
    for row in rows:
        table.add_row(
            row["name"], row["family"], row["task"], row["source"],
            f"{row['params']:,}", f"{row['macs']:,}", row["paper"],
        )  # fmt: skip
    show(table)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "family": entry.family,
        "task": entry.task,
        "source": type(entry.source).__name__.lower(),
        "params": entry.params,
        "macs": entry.macs,
        "paper": entry.paper,
        "inputs": [list(given.shape) for given in entry.inputs],
        "pretrained": entry.is_pretrained,
    }

"""`compress zoo`: the networks that have a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from compress.cli import names
from compress.cli.output import Json, grid, notes, print_json, show
from compress.report.wording import size

if TYPE_CHECKING:
    from compress_zoo.entry import Entry

EXAMPLE = "compress zoo --family resnet --max-params 30M"

Order = Literal["name", "params", "macs", "file", "accuracy"]

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def _count(text: str) -> int:
    """Read a number as people write it: 5000000, 5M, 0.3G."""
    unit = _UNITS.get(text[-1:].upper())
    try:
        return round(float(text[:-1]) * unit) if unit else int(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"must be a number such as 300K, 5M or 2G, got {text!r}"
        ) from error


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One row, whole.", autocompletion=names.rows),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only this family.", autocompletion=names.facts("family")
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only networks for this task; compress run trains on some.",
            autocompletion=names.facts("task"),
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only those of own, torchvision, timm or transformers.",
            autocompletion=names.facts("library"),
        ),
    ] = None,
    max_params: Annotated[
        int | None, typer.Option(metavar="N", parser=_count, help="At most so many, such as 5M.")
    ] = None,
    max_macs: Annotated[
        int | None, typer.Option(metavar="N", parser=_count, help="At most so many, such as 2G.")
    ] = None,
    sort: Annotated[
        Order | None,
        typer.Option(
            metavar="name|params|macs|file|accuracy",
            help="Smallest first, or the most accurate; by default by family.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the networks of the zoo, or show one."""
    from compress_zoo import measured, registry

    figures = _Figures()
    if name is not None:
        row = _whole(registry.get(name), figures)
        if as_json:
            print_json({"rows": [row]})
        else:
            _show_one(row)
        return
    found = registry.entries(family, task=task, source=source)
    rows = [
        _row(entry, figures)
        for entry in found
        if (max_params is None or entry.params <= max_params)
        and (max_macs is None or entry.macs <= max_macs)
    ]
    if sort is not None:
        rows.sort(key=_ORDERS[sort])
    if as_json:
        print_json({"rows": rows})
        return
    _show_all(rows)
    trained = ", ".join(names.tasks(""))
    notes().print(f"{len(rows)} rows; file: compressed at {measured.SETTING}, random weights")
    notes().print("top-1: of the published weights, as torchvision tells it")
    notes().print(f"tasks that compress run trains on: {trained}", soft_wrap=True)


class _Figures:
    """What is known of rows beside their own facts, by their names."""

    def __init__(self) -> None:
        from compress_zoo import accuracy, measured

        self.file_bytes = measured.file_bytes()
        self.accuracy = accuracy.top1()


#: by what rows are sorted; those of which a figure is not known come last
_ORDERS: Mapping[Order, Callable[[Mapping[str, Any]], Any]] = {
    "name": lambda row: row["name"],
    "params": lambda row: row["params"],
    "macs": lambda row: row["macs"],
    "file": lambda row: (row["file_bytes"] is None, row["file_bytes"]),
    "accuracy": lambda row: (row["accuracy"] is None, -(row["accuracy"] or 0)),
}


def _row(entry: Entry, figures: _Figures) -> dict[str, Any]:
    return {
        "name": entry.name,
        "family": entry.family,
        "task": entry.task,
        "source": entry.library,
        "params": entry.params,
        "macs": entry.macs,
        "paper": entry.paper,
        "inputs": [
            {
                "name": given.name,
                "shape": list(given.shape),
                "dtype": "float32" if given.below is None else "int64",
                "below": given.below,
            }
            for given in entry.inputs
        ],
        "pretrained": entry.is_pretrained,
        "file_bytes": figures.file_bytes.get(entry.name),
        "accuracy": figures.accuracy.get(entry.name),
    }


def _whole(entry: Entry, figures: _Figures) -> dict[str, Any]:
    origin = entry.origin
    return {
        **_row(entry, figures),
        "weights": asdict(origin) if origin is not None else None,
        "batch": entry.batch,
        "tolerance": entry.tolerance,
    }


def _show_all(rows: list[dict[str, Any]]) -> None:
    table = grid("name", "family", "task", "source", "params>", "MACs>", "file>", "top-1>", "paper")
    for row in rows:
        file = "-" if row["file_bytes"] is None else size(row["file_bytes"])
        table.add_row(
            row["name"], row["family"], row["task"], row["source"],
            f"{row['params']:,}", f"{row['macs']:,}", file, _percent(row), row["paper"],
        )  # fmt: skip
    show(table)


def _percent(row: Mapping[str, Any]) -> str:
    return "-" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f}"


def _show_one(row: Mapping[str, Any]) -> None:
    from compress_zoo import measured

    table = grid("fact", "value")
    for fact in ("name", "family", "task", "source", "paper"):
        table.add_row(fact, row[fact])
    for given in row["inputs"]:
        below = "" if given["below"] is None else f", below {given['below']:,}"
        shape = " x ".join(map(str, given["shape"])) or "one number"
        table.add_row("input", f"{given['name']}: {shape}, {given['dtype']}{below}")
    table.add_row("params", f"{row['params']:,}")
    table.add_row("MACs", f"{row['macs']:,}")
    for fact, value in _weights(row["weights"]):
        table.add_row(fact, value)
    table.add_row("batch", "any" if row["batch"] is None else str(row["batch"]))
    table.add_row("tolerance", f"{row['tolerance']:g} of the largest output")
    file = "not measured" if row["file_bytes"] is None else size(row["file_bytes"])
    table.add_row("file", f"{file} at {measured.SETTING}, random weights")
    show(table)


def _weights(origin: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield what is known of published weights."""
    if origin is None:
        yield "weights", "none are published"
        return
    yield "weights", origin["name"]
    if origin["extra"] is not None:
        yield "", f"more is told with: pip install 'compress-toolkit[{origin['extra']}]'"
        return
    yield "licence", origin["licence"] or "not stated by the library"
    for metric, value in origin["metrics"].items():
        yield "published", f"{metric} {value:g}"

"""`compress inspect`: where the bytes of a compressed file are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from compress.cli.output import Json, grid, print_json, show
from compress.report.wording import plain, share, size

EXAMPLE = "compress inspect model.safetensors"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed file.")],
    as_json: Json = False,
) -> None:
    """Show the bytes by layer and by kind."""
    from compress.artifact import archive, facts
    from compress.measure.size import paper_bytes, tensor_sizes

    found = archive.read(file)
    layers = tensor_sizes(found)
    ledger = {kind: n_bytes for kind, n_bytes in found.ledger.most_common() if n_bytes}
    entries = {entry.key: entry.value for entry in found.graph.metadata_props}
    total, paper = found.container.n_bytes, paper_bytes(found)
    if as_json:
        print_json(
            {
                "file": str(file),
                "metadata": {**facts.from_entries(entries), **found.container.metadata},
                "artifact_bytes": total,
                "paper_bytes": paper,
                "ledger": ledger,
                "layers": [
                    {**asdict(layer), "bits_per_weight": 8 * layer.n_bytes / layer.weights}
                    for layer in layers
                ],
            }
        )
        return
    table = grid("layer", "shape", "density>", "distinct>", "bits/weight>", "bytes>", "form")
    for layer in layers:
        table.add_row(
            plain(layer.name),
            "x".join(map(str, layer.shape)),
            f"{layer.nonzero / layer.weights:.3f}",
            str(layer.distinct),
            f"{8 * layer.n_bytes / layer.weights:.2f}",
            size(layer.n_bytes),
            layer.form,
        )
    show(table)
    typer.echo()
    kinds = grid("kind", "bytes>", "share>")  # last: a screen shows it, however many the layers
    for kind, n_bytes in ledger.items():
        kinds.add_row(kind, str(n_bytes), share(n_bytes / total))
    kinds.add_row("file", str(total), "")
    kinds.add_row("paper's accounting (weights only)", str(paper), "")
    show(kinds)

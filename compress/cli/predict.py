"""`compress predict`: a compressed file on arrays or images."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress.cli.output import Json, grid, print_json, show
from compress.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress.runtime import Session

EXAMPLE = "compress predict model.safetensors --input cat.jpg --input dog.jpg"

_TOP = 5


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed or .onnx file.")],
    inputs: Annotated[
        list[Path],
        typer.Option("--input", metavar="X.npy|IMAGE", help="An array of inputs, or an image."),
    ],
    as_json: Json = False,
) -> None:
    """Run a file on arrays as they are, or on images after its own preprocessing."""
    from compress.report.wording import plain
    from compress.runtime import load

    session = load(file)
    labels = _labels(session)
    rows: list[dict[str, Any]] = []
    for path in inputs:
        scores = _scores(session, path)
        for number, row in enumerate(scores):
            best = row.argsort()[::-1][:_TOP]
            rows.append(
                {
                    "input": str(path),
                    "index": number,
                    "top": [
                        {
                            "class": int(place),
                            "label": labels[place] if place < len(labels) else None,
                            "score": float(row[place]) if isfinite(row[place]) else None,
                        }
                        for place in best
                    ],
                }
            )
    if as_json:
        print_json({"output": session.outputs[0].name, "rows": rows})
        return
    table = grid("input", "index>", "class>", "label", "score>")
    for entry in rows:
        best = entry["top"][0]
        table.add_row(
            plain(entry["input"]), str(entry["index"]), str(best["class"]),
            plain(str(best["label"] or "")),
            "" if best["score"] is None else f"{best['score']:.4f}",
        )  # fmt: skip
    show(table)


def _labels(session: Session) -> list[Any]:
    """Return the names of the classes as the file tells them."""
    labels = session.metadata.get("labels")
    return labels if isinstance(labels, list) else []


def _scores(session: Session, path: Path) -> NDArray[np.float32]:
    if path.suffix == ".npy":
        values: Any = _array(path)
    else:
        from compress.preprocess import open_image

        values = session.preprocessing()([open_image(path)])
    scores = session.run({session.inputs[0].name: values})[session.outputs[0].name]
    if getattr(scores, "ndim", 0) == 0 or scores.size == 0 or scores.dtype.kind not in "fiu":
        raise DataError(f"the output {session.outputs[0].name} holds no scores for {path}")
    return scores.reshape(len(scores), -1)


def _array(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        with path.open("rb") as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {error}") from error
    return array

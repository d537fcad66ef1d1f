"""`compress predict`: a compressed file on arrays, images or texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress.cli.given import from_file, from_texts
from compress.cli.output import Json, grid, print_json, show
from compress.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress.measure.answers import Answers, Class
    from compress.runtime import Session

EXAMPLE = "compress predict model.safetensors --input cat.jpg --input dog.jpg"

_TOP = 5
_SHOWN = 4  # numbers of a vector

Rows = tuple[str, list[dict[str, Any]]]  # the name of the output that decides, and what it says


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A compressed or .onnx file.")],
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", metavar="X.npy|IMAGE", help="An array of inputs, or an image."),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="TEXT", help="A text, read by the file's own tokenizer."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a file on arrays as they are, images after its own preprocessing, or texts."""
    from compress.runtime import load

    if not inputs and not texts:
        raise typer.BadParameter("give at least one --input or --text")
    session = load(file)
    output, rows = "", list[dict[str, Any]]()
    for path in inputs or ():
        output, found = _of_file(session, path)
        rows += found
    if texts:
        output, found = _of_texts(session, file, texts)
        rows += found
    if as_json:
        print_json({"output": output, "rows": rows})
    else:
        _show(rows)
    empty = [row for row in rows if not (row.get("top") or row.get("vector"))]
    if empty:
        first, what = empty[0], "class" if "top" in empty[0] else "vector"
        raise DataError(
            f"the network's outputs are not finite for {len(empty)} of {len(rows)} inputs, so they "
            f"have no {what}; the first is {first['input']}, row {first['index']}"
        )


def _of_file(session: Session, path: Path) -> Rows:
    """Return the classes of all samples in a file."""
    from compress.measure.answers import ask

    said = ask(session, from_file(session, path))
    labels, count = _labels(session), len(said.told)
    return said.output, [_classes(said, n, labels, str(path), n) for n in range(count)]


def _of_texts(session: Session, file: Path, texts: Sequence[str]) -> Rows:
    """Return the classes of texts where the file tells labels, else their vectors."""
    from compress.measure.answers import read, run
    from compress.tasks.similarity import vectors

    given, mask = from_texts(session, file, texts)
    outputs, labels = run(session, given), _labels(session)
    if labels:
        said = read(outputs, len(texts))
        named = enumerate(texts)
        return said.output, [_classes(said, n, labels, text, 0) for n, text in named]
    name = session.outputs[0].name
    found = vectors(outputs[name], mask)
    return name, [
        {"input": text, "index": 0, "vector": _vector(row)}
        for text, row in zip(texts, found, strict=True)
    ]


def _vector(row: NDArray[Any]) -> list[float] | None:
    """Return the numbers of a vector, or None where one is not finite."""
    numbers: list[float] = row.tolist()
    return numbers if all(map(isfinite, numbers)) else None


def _classes(
    said: Answers, number: int, labels: Sequence[Any], given: str, index: int
) -> dict[str, Any]:
    top = [
        {
            "class": found,
            "label": _label(found, said, labels),
            "score": score if score is not None and isfinite(score) else None,
        }
        for found, score in said.top(number, _TOP)
    ]
    return {"input": given, "index": index, "top": top}


def _label(found: Class | None, said: Answers, labels: Sequence[Any]) -> Any:  # noqa: ANN401
    """Return the name of a class: the network's own, else the file's, if those are its classes."""
    if isinstance(found, str):
        return found
    fits = said.scores is None or said.names is None or len(said.names) == len(labels)
    known = found is not None and fits and 0 <= found < len(labels)
    return labels[found] if found is not None and known else None


def _labels(session: Session) -> list[Any]:
    """Return the names of the classes as the file tells them."""
    labels = session.metadata.get("labels")
    return labels if isinstance(labels, list) else []


def _show(rows: Sequence[dict[str, Any]]) -> None:
    from compress.report.wording import plain

    for columns, shown in (
        (("input", "index>", "class>", "label", "score>"), [r for r in rows if "top" in r]),
        (("input", "numbers>", "vector"), [r for r in rows if "vector" in r]),
    ):
        table = grid(*columns)
        for row in shown:
            cells = _best(row) if "top" in row else _beginning(row["vector"])
            table.add_row(plain(row["input"]), *cells)
        if shown:
            show(table)


def _best(row: dict[str, Any]) -> Iterator[str]:
    from compress.report.wording import plain

    best = row["top"][0] if row["top"] else {"class": None, "label": None, "score": None}
    found, label = (
        "" if best[key] is None else plain(str(best[key])) for key in ("class", "label")
    )
    score = "" if best["score"] is None else f"{best['score']:.4f}"
    yield from (str(row["index"]), found, label if label != found else "")
    yield score if row["top"] else "not finite"


def _beginning(vector: list[float] | None) -> Iterator[str]:
    if vector is None:
        yield from ("", "not finite")
        return
    more = ", ..." if len(vector) > _SHOWN else ""
    yield str(len(vector))
    yield ", ".join(f"{number:.4f}" for number in vector[:_SHOWN]) + more

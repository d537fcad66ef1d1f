"""`compress predict`: a compressed file on arrays or images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress.cli.output import Json, grid, print_json, show
from compress.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress.measure.answers import Answers, Class
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
    from compress.runtime import load

    session = load(file)
    output, rows = "", list[dict[str, Any]]()
    for path in inputs:
        said = _answers(session, path)
        output = said.output
        rows += _rows(said, path, _labels(session))
    if as_json:
        print_json({"output": output, "rows": rows})
    else:
        _show(rows)
    empty = [row for row in rows if not row["top"]]
    if empty:
        first = empty[0]
        raise DataError(
            f"the network's outputs are not finite for {len(empty)} of {len(rows)} inputs, so they "
            f"have no class; the first is {first['input']}, row {first['index']}"
        )


def _rows(said: Answers, path: Path, labels: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for number in range(len(said.told)):
        yield {
            "input": str(path),
            "index": number,
            "top": [
                {
                    "class": found,
                    "label": _label(found, said, labels),
                    "score": score if score is not None and isfinite(score) else None,
                }
                for found, score in said.top(number, _TOP)
            ],
        }


def _label(found: Class | None, said: Answers, labels: Sequence[Any]) -> Any:  # noqa: ANN401
    """Return the name of a class: the network's own, else the file's, if those are its classes."""
    if isinstance(found, str):
        return found
    fits = said.scores is None or said.names is None or len(said.names) == len(labels)
    known = found is not None and fits and 0 <= found < len(labels)
    return labels[found] if found is not None and known else None


def _show(rows: Sequence[dict[str, Any]]) -> None:
    from compress.report.wording import plain

    table = grid("input", "index>", "class>", "label", "score>")
    for entry in rows:
        best = entry["top"][0] if entry["top"] else {"class": None, "label": None, "score": None}
        found, label = (
            "" if best[key] is None else plain(str(best[key])) for key in ("class", "label")
        )
        score = "" if best["score"] is None else f"{best['score']:.4f}"
        table.add_row(
            plain(entry["input"]), str(entry["index"]), found, label if label != found else "",
            score if entry["top"] else "not finite",
        )  # fmt: skip
    show(table)


def _labels(session: Session) -> list[Any]:
    """Return the names of the classes as the file tells them."""
    labels = session.metadata.get("labels")
    return labels if isinstance(labels, list) else []


def _answers(session: Session, path: Path) -> Answers:
    from compress.measure.answers import ask

    if len(session.inputs) != 1:
        names = ", ".join(value.name for value in session.inputs)
        raise DataError(
            f"predict gives a network one input, and this one takes {len(session.inputs)} "
            f"({names}); run it from Python with compress.runtime.load"
        )
    if path.suffix.lower() == ".npy":
        values = _array(path)
        _require_shape(path, values.shape, session.inputs[0].shape)
    else:
        from compress.pictures import open_image

        values = session.preprocessing()([open_image(path)])
    return ask(session, values)


def _array(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        with path.open("rb") as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {error}") from error
    return array


def _require_shape(path: Path, given: tuple[int, ...], taken: tuple[int | str | None, ...]) -> None:
    """Raise `DataError` for an array that does not fit the input, and say what would."""
    if 0 in given or not given:
        raise DataError(f"{path} has shape {given}: it holds no samples, so there are no scores")
    if not taken or _fits(given, taken):
        return
    hint = ""
    if len(given) == len(taken) - 1 and _fits((1, *given), taken):
        hint = "; it lacks the batch: save array[None]"
    elif len(given) == len(taken) > 2 and _fits((given[0], given[-1], *given[1:-1]), taken):
        hint = "; its channels come last: save numpy.moveaxis(array, -1, 1)"
    elif len(given) == len(taken) > 2 and _fits((given[0], *given[2:], given[1]), taken):
        hint = "; its channels come first: save numpy.moveaxis(array, 1, -1)"
    wanted = ", ".join("any" if size is None else str(size) for size in taken)
    raise DataError(f"{path} has shape {given}, and the network takes ({wanted}){hint}")


def _fits(given: tuple[int, ...], taken: tuple[int | str | None, ...]) -> bool:
    """Tell whether an array fits an input, of whose batch there may be any number of samples."""
    return len(given) == len(taken) and all(
        size == wanted or not isinstance(wanted, int)
        for size, wanted in zip(given[1:], taken[1:], strict=True)
    )

"""What a user gives a network on the command line: arrays, images or texts, as its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from compress.runtime import Session


def from_file(session: Session, path: Path) -> NDArray[Any]:
    """Return an array as it is, or an image after the network's own preprocessing.

    Raises:
        DataError: when the file is neither, or does not fit the network.
    """
    if len(session.inputs) != 1:
        names = ", ".join(value.name for value in session.inputs)
        raise DataError(
            f"predict gives a network one input, and this one takes {len(session.inputs)} "
            f"({names}); give --text where these are tokens, or run it from Python with "
            "compress.runtime.load"
        )
    if path.suffix.lower() != ".npy":
        from compress.pictures import open_image

        return session.preprocessing()([open_image(path)])
    from compress.tasks.stored import read_npy

    values = read_npy(path)
    _require_shape(path, values.shape, session.inputs[0].shape)
    return values


def from_texts(
    session: Session, file: Path, texts: Sequence[str]
) -> tuple[tuple[NDArray[Any], ...], NDArray[Any]]:
    """Return the inputs of texts by the file's own tokenizer, and the mask of their tokens."""
    from compress.runtime.takes import takes_of
    from compress.tasks.encoding import Encoder

    encoder = Encoder.of(takes_of(session, file))
    tokens = encoder.encode(texts)
    return encoder.inputs(tokens), encoder.mask(tokens)


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

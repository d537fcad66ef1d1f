"""A user's arrays to those that ONNX Runtime takes: converted where nothing is lost, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

# ONNX Runtime's names of what numpy has; other inputs are handed on as they are.
_TYPES = {
    f"tensor({name})": np.dtype(kind)
    for name, kind in (
        ("float", "f4"), ("float16", "f2"), ("double", "f8"), ("bool", "?"),
        ("int8", "i1"), ("int16", "i2"), ("int32", "i4"), ("int64", "i8"),
        ("uint8", "u1"), ("uint16", "u2"), ("uint32", "u4"), ("uint64", "u8"),
    )
}  # fmt: skip
_FROM = {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}  # numpy's kinds, by the kind they become
_STRINGS = "tensor(string)"
_OPTIONAL = "optional("


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a network."""

    name: str
    type: str  #: ONNX Runtime's name, as in "tensor(float)"
    shape: tuple[int | str | None, ...]  #: a name or None where any size goes


def fitted(
    given: Mapping[str, Any], wanted: Sequence[Value], more: Sequence[Value] = ()
) -> dict[str, Any]:
    """Return the arrays as ONNX Runtime takes them: its types, its byte order, row by row.

    Integers become floats and integers of another width, and floats those of another, where each
    value keeps its meaning: integers must fit, and no finite float may become infinite. Floats do
    not become integers, and numbers no truth.

    Args:
        given: arrays, or what numpy makes one of, by name.
        wanted: the network's inputs.
        more: what may be given, too.

    Raises:
        DataError: when an input is missing, not known, or cannot be converted.
    """
    known = {value.name: value for value in (*wanted, *more)}
    names = ", ".join(repr(value.name) for value in wanted) or "none"
    for name in given:
        if name not in known:
            raise DataError(f"the network has no input {name!r}; its inputs are {names}")
    for value in wanted:
        if value.name not in given and not value.type.startswith(_OPTIONAL):
            raise DataError(f"the input {value.name!r} is missing; the network takes {names}")
    return {name: _converted(array, known[name]) for name, array in given.items()}


def _converted(given: Any, value: Value) -> Any:  # noqa: ANN401  (what ONNX Runtime takes)
    if value.type == _STRINGS:
        return _strings(_array(given, value), value)
    if value.type not in _TYPES or type(given).__name__ == "OrtValue":
        return given
    array, kind = _array(given, value), _TYPES[value.type]
    if array.dtype != kind:
        array = _cast(array, kind, value)
    return np.asarray(array, kind, order="C")


def _array(given: Any, value: Value) -> NDArray[Any]:  # noqa: ANN401
    if given is None:
        raise DataError(f"the input {value.name!r} must be an array, got None")
    if np.ma.is_masked(given):
        raise DataError(f"the input {value.name!r} has masked values; fill them first")
    try:
        return np.asarray(given)
    except Exception as error:  # whatever an object does that should become an array
        raise DataError(f"the input {value.name!r} is no array: {_line(error)}") from error


def _cast(array: NDArray[Any], kind: np.dtype[Any], value: Value) -> NDArray[Any]:
    """Convert to another type where every value keeps its meaning, else raise `DataError`."""
    if array.size and array.dtype.kind not in _FROM[kind.kind]:
        raise _refusal(value, f"got {array.dtype}")
    if array.size and kind.kind in "iu" and array.dtype.kind != "b":
        least, most, limits = int(array.min()), int(array.max()), np.iinfo(kind)
        if least < limits.min or most > limits.max:
            raise _refusal(value, f"got {array.dtype} with values in [{least}, {most}]")
    with np.errstate(over="ignore", invalid="ignore"):
        out = array.astype(kind)
    if kind.kind == "f" and not np.isfinite(out).all():
        lost = np.isfinite(array) & ~np.isfinite(out)
        if lost.any():
            raise _refusal(value, f"got {array.dtype} with the value {array[lost].flat[0]}")
    return out


def _strings(array: NDArray[Any], value: Value) -> NDArray[Any]:
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind not in "UTO" or not all(isinstance(text, str) for text in array.flat):
        raise _refusal(value, f"got {array.dtype}")
    return np.asarray(array, object)


def _refusal(value: Value, got: str) -> DataError:
    return DataError(f"the input {value.name!r} must be {value.type}, {got}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

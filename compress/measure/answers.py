"""Which class a network says, in whatever form it says it; evaluation and prediction share this.

Networks give one score a class. Classifiers of other libraries, as skl2onnx and onnxmltools write
them, give a label, and beside it scores: a matrix without names, or a map by class. Where the form
does not tell which class is meant, that is an error and no guess.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.tasks.outputs import all_of
from compress.tasks.task import Values

Class = int | str

_SCORES = ("logit", "prob", "score")  # in the name of the one output of several that holds them
_VALUES = frozenset(("variable",))  # what skl2onnx calls the output of a regression
_MAX_QUANTIZED_BYTES = 2  # of an integer that is a score; wider ones are numbers of something
_MAX_NAMED = 4  # outputs that a message names


class Network(Protocol):
    """Something that maps named inputs to named outputs."""

    @property
    def inputs(self) -> Sequence[Any]:
        """The inputs, each with a name and a shape."""

    @property
    def outputs(self) -> Sequence[Any]:
        """The outputs, each with a name."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, Any]:
        """Return the outputs by name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a network says of some samples."""

    output: str  #: name of the output that decides
    labels: tuple[Class, ...] | None = None  #: each sample's class as the network calls it
    scores: NDArray[Any] | None = None  #: shape `(n, classes)`; one column: a value, no class
    names: tuple[Class, ...] | None = None  #: of the columns, where the network tells them

    @property
    def told(self) -> NDArray[np.bool_]:
        """Whether each sample has an answer, shape `(n,)`.

        It has none where a score is NaN or the largest is infinite, which is an overflow. Minus
        infinity is the logarithm of a probability of 0, and in order.
        """
        if self.scores is None:
            return np.ones(len(self.labels or ()), np.bool_)
        told: NDArray[np.bool_] = np.isfinite(self.scores.max(1))
        return told

    def top(self, sample: int, count: int) -> list[tuple[Class | None, float | None]]:
        """Return a sample's best classes, each with its score; none where it has no answer.

        The class that the network itself says is the first. Others are there only where it is
        known whose their scores are.
        """
        if not self.told[sample]:
            return []
        label = None if self.labels is None else self.labels[sample]
        scores = None if self.scores is None else self.scores[sample]
        if scores is None:
            return [(label, None)]
        if self.names is None:
            largest = int(scores.argmax())
            return [(label, float(scores[largest]) if label in (None, largest) else None)]
        ranked: list[tuple[Class | None, float | None]] = [
            (self.names[place], float(scores[place])) for place in order(scores)
        ]
        if label is not None:
            ranked.sort(key=lambda entry: entry[0] != label)  # the others keep their order
        return ranked[:count]

    def numbers(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of the class that each sample gets, shape `(n,)`; 0 where none is told.

        Args:
            classes: the names, by number. A network that says a name means that; one that says a
                number does, too, where names are numbers.

        Raises:
            DataError: when the network says no class, or one that has no name here.
        """
        if self.labels is None and self.names is None:
            raise DataError(f"the output {self.output} holds one value a sample, and no class")
        if self.labels is None and self.names == tuple(range(len(self.names or ()))):
            assert self.scores is not None
            best: NDArray[np.int64] = self.scores.argmax(1)  # of equal scores the first
            return best
        said = [self.top(place, 1) for place in range(len(self.told))]
        numbers = _numbering(classes)
        try:
            return np.array([numbers(first[0][0]) if first else 0 for first in said], np.int64)
        except KeyError as error:
            raise DataError(
                f"the output {self.output} says class {error.args[0]!r}, which is none of the "
                f"{len(classes)} classes"
            ) from error


def ask(network: Network, inputs: Values) -> Answers:
    """Run a network on samples, and read the classes that it says.

    Args:
        network: see `run`.
        inputs: see `run`.

    Raises:
        DataError: when the network refuses the input, or its outputs do not tell classes.
    """
    return read(run(network, inputs), len(all_of(inputs)[0]))


def run(network: Network, inputs: Values) -> dict[str, Any]:
    """Return what a network gives for samples, by name.

    Args:
        network: it may take any number of samples at a time, or one fixed number.
        inputs: at least one sample, batch first; a tuple for a network of several inputs.

    Raises:
        DataError: when the network refuses the input.
    """
    given, names = all_of(inputs), [taken.name for taken in network.inputs]
    if len(given) != len(names):
        raise DataError(
            f"the network must be given {len(names)} inputs ({', '.join(names)}), got {len(given)}"
        )
    count, fixed = len(given[0]), fixed_batch(network)
    step = fixed or count
    runs: list[Mapping[str, Any]] = []
    for begin in range(0, count, step):
        chosen = [array[begin : begin + step] for array in given]
        if len(chosen[0]) < step:  # the last ones are filled up
            chosen = [np.resize(array, (step, *array.shape[1:])) for array in chosen]
        runs.append(network.run(dict(zip(names, chosen, strict=True))))
    return {
        value.name: _joined([done[value.name] for done in runs], step, count)
        for value in network.outputs
    }


def fixed_batch(network: Network) -> int | None:
    """Return the one size of a batch that the network takes, or None where it takes any."""
    shape = network.inputs[0].shape
    first = shape[0] if len(shape) else None
    return first if isinstance(first, int) and first > 0 else None


def read(outputs: Mapping[str, Any], count: int) -> Answers:
    """Read the classes of `count` samples from a network's outputs by name.

    Raises:
        DataError: when the outputs do not tell classes.
    """
    kinds = {name: _kind(name, value, count) for name, value in outputs.items()}
    of = {kind: [n for n, k in kinds.items() if k == kind] for kind in set(kinds.values())}
    labels, maps, scores = (of.get(kind, []) for kind in ("label", "map", "scores"))
    if len(outputs) > 1 and not labels:  # of many things, one is called scores
        scores = [n for n in scores if any(word in n.lower() for word in _SCORES)]
    value = of.get("value", []) if len(outputs) == 1 else []
    label = None
    if len(labels) == 1:
        label = tuple(map(_plain, np.asarray(outputs[labels[0]]).ravel()))
    rest = len(outputs) - len(labels)
    if len(maps) == 1 and len(labels) <= 1 and rest == 1:
        columns, matrix = _columns(maps[0], outputs[maps[0]])
        name = labels[0] if labels else maps[0]
        return Answers(output=name, labels=label, scores=matrix, names=columns)
    if label is not None and len(scores) == rest == 1:
        return Answers(output=labels[0], labels=label, scores=_matrix(outputs[scores[0]]))
    if label is not None and len(of.get("value", [])) == rest:
        return Answers(output=labels[0], labels=label)  # whose scores the columns are is not told
    if not labels and len(scores) == 1:
        matrix = _matrix(outputs[scores[0]])
        return Answers(output=scores[0], scores=matrix, names=tuple(range(matrix.shape[1])))
    if value:
        return Answers(output=value[0], scores=np.asarray(outputs[value[0]]).reshape(count, 1))
    told = ", ".join(f"{n} {_form(v)}" for n, v in list(outputs.items())[:_MAX_NAMED])
    raise DataError(
        f"which class the network says is not told by its outputs ({told}); "
        "run it from Python with compress.runtime.load"
    )


def order(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Return the places of scores from the largest on; of equal ones the first comes first.

    >>> order(np.array([1, 3, 2, 3]))
    array([1, 3, 2, 0])
    """
    places: NDArray[np.int64] = len(scores) - 1 - np.argsort(scores[::-1], kind="stable")[::-1]
    return places


def _kind(name: str, value: Any, count: int) -> str:  # noqa: ANN401 (array, or a list of maps)
    """Return what an output may be: label, map, scores, value or other."""
    if isinstance(value, list):
        maps = len(value) == count and all(isinstance(one, dict) and one for one in value)
        return "map" if maps else "other"
    if not isinstance(value, np.ndarray) or value.ndim == 0 or len(value) != count:
        return "other"
    row = value.shape[1] if value.ndim > 1 else 1
    if value.size != count * row or row == 0:
        return "other"
    kind, narrow = value.dtype.kind, value.dtype.itemsize <= _MAX_QUANTIZED_BYTES
    if row == 1:
        return "value" if kind == "f" else "label" if kind in "iubOUS" else "other"
    if kind == "f" and name in _VALUES:
        return "other"
    return "scores" if kind == "f" or (kind in "iu" and narrow) else "other"


def _columns(
    name: str, maps: Sequence[Mapping[Class, float]]
) -> tuple[tuple[Class, ...], NDArray[Any]]:
    """Return maps of scores as columns with names."""
    names = tuple(maps[0])
    if any(tuple(one) != names for one in maps):
        raise DataError(f"the output {name} holds other classes from sample to sample")
    return names, np.array([list(one.values()) for one in maps], np.float64)


def _matrix(value: NDArray[Any]) -> NDArray[Any]:
    return value.reshape(len(value), -1)


def _joined(parts: list[Any], step: int, count: int) -> Any:  # noqa: ANN401 (as `_kind`)
    """Join what batches gave, without what filled up the last."""
    if all(isinstance(part, list) for part in parts):
        return [one for part in parts for one in part][:count]
    arrays = [np.asarray(part) for part in parts]
    if any(array.ndim == 0 or len(array) != step for array in arrays):
        return arrays[0]
    return (arrays[0] if len(arrays) == 1 else np.concatenate(arrays))[:count]


def _plain(label: Any) -> Class:  # noqa: ANN401 (a number of numpy, bytes or text)
    if isinstance(label, bytes):
        return label.decode(errors="replace")
    return label if isinstance(label, str) else int(label)


def _numbering(classes: Sequence[str]) -> Callable[[Class | None], int]:
    """Return what gives the number of what a network says; it raises `KeyError` for no class."""
    names = {unicodedata.normalize("NFC", name): place for place, name in enumerate(classes)}
    are_numbers = any(name.removeprefix("-").isdecimal() for name in names)

    def number(label: Class | None) -> int:
        if isinstance(label, int) and not are_numbers:
            if not 0 <= label < len(classes):
                raise KeyError(label)
            return label
        name = unicodedata.normalize("NFC", str(label))
        if name not in names:
            raise KeyError(label)
        return names[name]

    return number


def _form(value: Any) -> str:  # noqa: ANN401 (as `_kind`)
    return str(value.shape) if isinstance(value, np.ndarray) else "sequence"

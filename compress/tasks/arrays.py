"""A task of arrays in memory: enough for most people's own data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.tasks import metrics
from compress.tasks.content import code_of, digest_of
from compress.tasks.metric import Metric
from compress.tasks.task import (
    DEFAULT_TRAINING,
    Indices,
    Input,
    Part,
    Takes,
    Task,
    Values,
    takes_smoothing,
)

if TYPE_CHECKING:
    from torch import Tensor

Given = tuple[Any, Any]  # inputs and targets: an array each, or a tuple of arrays
Loss = Callable[..., Any]
Kinds = tuple[str | None, ...]  # of each input that the network wants: "f", "i" or any

_VALIDATION_EVERY = 10


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples: rows of arrays."""

    inputs: tuple[NDArray[Any], ...]
    targets: tuple[NDArray[Any], ...]
    kinds: Kinds = ()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.targets[0])

    def digest(self, indices: Indices | None = None) -> str:
        """Digest inputs and targets, by default of all."""
        chosen = slice(None) if indices is None else np.asarray(indices, np.int64)
        return digest_of(array[chosen] for array in (*self.inputs, *self.targets))

    def batch(self, indices: Indices) -> tuple[Values, Values]:
        """Return some rows, in the types that networks and losses take."""
        chosen = np.asarray(indices, np.int64)
        kinds = self.kinds or (None,) * len(self.inputs)
        inputs = tuple(_input(a[chosen], kind) for a, kind in zip(self.inputs, kinds, strict=True))
        targets = tuple(_target(array[chosen]) for array in self.targets)
        return _one_or_all(inputs), _one_or_all(targets)

    def in_memory(self, limit_bytes: int) -> Rows:
        """Return the same: they are in memory, whatever that takes."""
        return self

    def take(self, chosen: NDArray[np.bool_]) -> Rows:
        """Return the samples that a mask of shape `(n,)` chooses."""
        inputs, targets = (
            tuple(array[chosen] for array in held) for held in (self.inputs, self.targets)
        )
        return Rows(inputs, targets)


class Arrays(Task):
    """Data of one's own, in memory."""

    def __init__(
        self,
        *,
        train: Given | None = None,
        validation: Given | None = None,
        test: Given | None = None,
        loss: Loss | None = None,
        metric: Metric | Callable[[Any, Any], Any] | None = None,
        classes: Sequence[str] = (),
        name: str = "arrays",
        training: Mapping[str, Mapping[str, Any]] = DEFAULT_TRAINING,
    ) -> None:
        """Take parts of data, each as `(inputs, targets)`.

        Inputs and targets are an array each, with a row for each sample, or a tuple of arrays: the
        network's arguments in their order. Floats of 64 bits become 32 bits, integers of targets
        64 bits.

        Args:
            train: to train on and to calibrate with; None where nothing is trained.
            validation: to choose an epoch by; by default every tenth sample of `train`.
            test: to judge by.
            loss: `loss(outputs, targets)`, of torch, the mean of a batch; by default the cross
                entropy where targets are integers, and the mean squared error.
            metric: a `Metric`, or a function of outputs and targets, in numpy, that gives a figure
                for each sample, of which more is better; by default the accuracy where targets are
                integers, and the mean absolute error.
            classes: names of the classes, in the order of the labels.
            name: of the data, as reports call it.
            training: settings by stage, see `Task.training`.

        Raises:
            DataError: when a part is missing or holds no samples.
        """
        if test is None:
            raise DataError(f"test must be given to task {name}: what a network is judged by")
        self.name, self.classes = name, tuple(classes)
        whole, held = _rows("train", train), _rows("validation", validation)
        if whole is not None and held is None and len(whole) >= _VALIDATION_EVERY:
            validates = np.arange(len(whole)) % _VALIDATION_EVERY == _VALIDATION_EVERY - 1
            whole, held = whole.take(~validates), whole.take(validates)
        judged = _rows("test", test)
        assert judged is not None
        self._parts: dict[Part, Rows | None] = {
            "train": whole, "validation": held, "test": judged
        }  # fmt: skip
        self._are_labels = judged.targets[0].dtype.kind in "iub"
        self._loss, self._kinds, self._training = loss, Kinds(()), training
        self.metric = _metric(metric, are_labels=self._are_labels)

    def load(self, part: Part) -> Rows | None:
        """Return a part of the data."""
        found = self._parts[part]
        return None if found is None else Rows(found.inputs, found.targets, self._kinds)

    def loss(
        self,
        outputs: Any,  # noqa: ANN401  (the network's own)
        targets: Any,  # noqa: ANN401
        **options: float,
    ) -> Tensor:
        """Return the loss of a batch."""
        found: Tensor = self._used_loss(outputs, targets, **options)
        return found

    @property
    def smooths(self) -> bool:
        """Whether the loss takes `label_smoothing`."""
        return takes_smoothing(self._used_loss)

    @property
    def _used_loss(self) -> Loss:
        from compress.tasks import losses

        own = losses.cross_entropy if self._are_labels else losses.squared_error
        return self._loss or own

    def suited(self, takes: Takes) -> Arrays:
        """Give a network its inputs in the types that it takes; raise where they do not fit."""
        given = self._parts["test"]
        assert given is not None
        if len(takes.inputs) != len(given.inputs):
            raise DataError(
                f"{takes.name} must be given {len(takes.inputs)} inputs, "
                f"and task {self.name} has {len(given.inputs)}"
            )
        for taken, array in zip(takes.inputs, given.inputs, strict=True):
            _require_fit(takes.name, taken, array.shape[1:], self.name)
        made = copy(self)
        made._kinds = tuple("f" if taken.below is None else "i" for taken in takes.inputs)
        return made

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return settings of a stage."""
        return self._training.get(stage, self._training.get("prune", DEFAULT_TRAINING["prune"]))

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides inputs, targets and loss beside the data."""
        code = {
            "loss": None if self._loss is None else code_of(self._loss),
            "metric": [
                self.metric.name,
                self.metric.higher_is_better,
                code_of(self.metric.each),
                code_of(self.metric.whole),
            ],
        }
        return {"task": self.name, **self.facts, **code, "kinds": list(self._kinds)}


def _rows(part: str, given: Given | None) -> Rows | None:
    """Check a part that a user gives."""
    if given is None:
        return None
    if not isinstance(given, tuple) or len(given) != 2:
        raise DataError(f"{part} must be (inputs, targets), got {type(given).__name__}")
    inputs, targets = (
        tuple(map(_array, held)) if isinstance(held, tuple) else (_array(held),) for held in given
    )
    lengths = {len(array) if array.ndim else 0 for array in (*inputs, *targets)}
    if not inputs or not targets or len(lengths) != 1 or 0 in lengths:
        shapes = ", ".join(str(array.shape) for array in (*inputs, *targets))
        raise DataError(f"{part} must be arrays of as many rows, at least one, got shapes {shapes}")
    if any(a.dtype.kind == "f" and not np.isfinite(a).all() for a in targets):
        raise DataError(f"{part} must have finite targets, got NaN or an infinity among them")
    return Rows(inputs, targets)


def _array(given: Any) -> NDArray[Any]:  # noqa: ANN401  (what numpy makes an array of)
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise DataError(f"arrays must hold numbers, got {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _input(array: NDArray[Any], kind: str | None) -> NDArray[Any]:
    if kind == "f":
        return array.astype(np.float32)
    if kind == "i" and array.dtype.kind in "iub":
        return array.astype(np.int64)
    return (
        array.astype(np.float32) if array.dtype.itemsize >= 8 and array.dtype.kind == "f" else array
    )


def _target(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


def _one_or_all(arrays: tuple[NDArray[Any], ...]) -> Values:
    return arrays[0] if len(arrays) == 1 else arrays


def _require_fit(network: str, taken: Input, shape: tuple[int, ...], task: str) -> None:
    wanted = tuple(taken.shape)
    if len(wanted) != len(shape) or any(
        size and size != given for size, given in zip(wanted, shape, strict=True)
    ):
        raise DataError(
            f"{network} takes {taken.name} of shape {wanted} a sample, and task {task} has {shape}"
        )


def _metric(given: Metric | Callable[[Any, Any], Any] | None, *, are_labels: bool) -> Metric:
    if given is None:
        return metrics.ACCURACY if are_labels else metrics.MEAN_ABSOLUTE_ERROR
    if isinstance(given, Metric):
        return given
    name = getattr(given, "__name__", "metric").replace("_", " ")
    return Metric(name=name, each=given, is_fraction=False)

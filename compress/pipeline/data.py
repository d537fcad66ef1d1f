"""A run's data: the parts of its task, and the samples that passes look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.passes.network import Samples as Inputs
from compress.pipeline.made_up import made_up
from compress.references.subject import Given, Subject
from compress.tasks import Samples, Takes, Task
from compress.tasks.calibration import Calibration
from compress.tasks.task import Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A task that suits the network, with its parts."""

    task: Task
    train: Samples | None
    validation: Samples | None
    test: Samples
    _digests: dict[str, str] = field(default_factory=dict, init=False)  #: each part is read once

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a compressed file tells of the data."""
        return {**self.task.facts, "task": self.task.name}

    def decides(self, *parts: str) -> list[Any]:
        """Return what decides the figures of some parts, as JSON's types."""
        return [dict(self.task.settings), [self._digest(part) for part in parts]]

    def _digest(self, part: str) -> str | None:
        held = {"train": self.train, "validation": self.validation, "test": self.test}[part]
        if held is None:
            return None
        if part not in self._digests:
            self._digests[part] = held.digest()
        return self._digests[part]


def load(
    task: Task | None, subject: Subject, preprocessing: Mapping[str, Any] | None
) -> Data | None:
    """Load a task, if there is one.

    Args:
        task: as its name gives it.
        subject: the network.
        preprocessing: what the weights were trained on; None for the task's own.

    Raises:
        DataError: when the task has no part to measure on, or does not suit the network.
    """
    if task is None:
        return None
    suited = task.suited(takes_of(subject, preprocessing))
    test = suited.load("test")
    if test is None or not len(test):
        raise DataError(f"task {task.name} has no part to measure on")
    return Data(
        task=suited,
        train=suited.load("train"),
        validation=suited.load("validation"),
        test=test,
    )


def takes_of(subject: Subject, preprocessing: Mapping[str, Any] | None) -> Takes:
    """Return what a task is told of a network whose weights are known.

    Weights that were trained on images of another size, as a network may take several, take that.
    """
    takes = replace(subject.takes, preprocessing=preprocessing)
    if preprocessing is None or len(takes.inputs) != 1 or len(takes.inputs[0].shape) != 3:
        return takes
    (own,) = takes.inputs
    size = tuple(preprocessing["crop"])
    return replace(takes, inputs=(Given(own.name, (own.shape[0], *size), own.below),))


class Sampler(Protocol):
    """Samples without labels, in a random order that a seed gives."""

    @property
    def are_real(self) -> bool:
        """Whether they are of the data."""

    def first(self, count: int) -> Inputs:
        """Return so many, or all where there are fewer."""

    def digest(self, count: int) -> str:
        """Digest what `first` returns."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Some of the samples that there are."""

    samples: Calibration
    seed: int
    are_real: bool = True

    def first(self, count: int) -> Inputs:
        """Return so many, or all where there are fewer."""
        return self.samples.inputs(self._order(count))

    def digest(self, count: int) -> str:
        """Digest what `first` returns."""
        return self.samples.digest(self._order(count))

    def _order(self, count: int) -> NDArray[np.int64]:
        return np.random.default_rng(self.seed).permutation(len(self.samples))[:count]


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Samples that are made where there are none."""

    takes: Takes
    seed: int
    are_real: bool = False

    def first(self, count: int) -> Inputs:
        """Return so many."""
        return made_up(self.takes.inputs, count, self.seed, self.takes.preprocessing)

    def digest(self, count: int) -> str:
        """Digest what `first` returns."""
        taken = [[given.name, given.shape, given.below] for given in self.takes.inputs]
        return repr(["made up", count, self.seed, taken, self.takes.preprocessing])


@dataclass(frozen=True, slots=True)
class OfTask:
    """A part of a task, without its targets."""

    samples: Samples

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def inputs(self, indices: Indices) -> Inputs:
        """Return an array for each input of the network."""
        found, _ = self.samples.batch(indices)
        return found if isinstance(found, tuple) else (found,)

    def digest(self, indices: Indices) -> str:
        """Digest what some samples hold."""
        return self.samples.digest(indices)

"""What training, measuring and calibrating need to know of a task. It imports no torch."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compress.tasks.content import code_of
from compress.tasks.metric import Metric

if TYPE_CHECKING:
    from torch import Generator, Tensor

Part = Literal["train", "validation", "test"]
Indices = Sequence[int] | NDArray[np.int64]
Values = NDArray[Any] | tuple[NDArray[Any], ...]  # one array, or one for each input or target
#: takes a batch's inputs as tensors, and their places in an epoch; returns them changed
Augment = Callable[[Any, NDArray[np.int64]], Any]


class Samples(Protocol):
    """A part of the data."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def batch(self, indices: Indices) -> tuple[Values, Values]:
        """Return inputs and targets of some samples, ready for the network and the loss.

        Inputs have a row a sample, or the same number of rows for each (two, of a pair).
        """

    def digest(self, indices: Indices | None = None) -> str:
        """Digest what some samples hold, in their order; by default of all."""

    def in_memory(self, limit_bytes: int) -> Samples | None:
        """Return the same samples held ready in memory, or None where that takes too much."""


@runtime_checkable
class Padded(Samples, Protocol):
    """Samples that are padded to one length, though not all networks need that."""

    def unpadded(self) -> Samples:
        """Return the same samples, padded to the longest of a batch."""


class Input(Protocol):
    """What a network takes: numbers from a normal distribution, or integers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: without the batch."""

    @property
    def name(self) -> str:
        """The name in the ONNX graph."""

    @property
    def below(self) -> int | None:
        """None for float32; else int64 in [0, below)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What a network takes, and what is told of how its weights were trained."""

    name: str  #: of the network
    inputs: Sequence[Input]  #: in the order of its arguments; a size that varies is given as 0
    preprocessing: Mapping[str, Any] | None = None  #: of images; None for the task's own
    tokenizer: bytes | None = None  #: a tokenizer.json


class Task(ABC):
    """A named set of data. What has a default may be left as it is."""

    name: str
    metric: Metric
    classes: tuple[str, ...] = ()  #: names in the order of the labels; empty where there are none

    @abstractmethod
    def load(self, part: Part) -> Samples | None:
        """Return a part of the data, or None where the task has no such part."""

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Tensor:  # noqa: ANN401 (the network's own)
        """Return the mean loss of a batch.

        One that takes `label_smoothing`, too, is given it by that name where it is above 0.

        Args:
            outputs: what the network returns.
            targets: the tensor or tensors that `Samples.batch` gave as arrays.
        """

    @property
    def smooths(self) -> bool:
        """Whether the loss takes `label_smoothing`, by its name."""
        return takes_smoothing(self.loss)

    def suited(self, takes: Takes) -> Task:
        """Return the task with its inputs made for one network.

        Raises:
            DataError: when the network cannot take them.
        """
        return self

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return fields of `TrainSettings` for a stage: `dense`, or the name of a pass."""
        return DEFAULT_TRAINING.get(stage, DEFAULT_TRAINING["prune"])

    def augment(self, count: int, strength: float, drawn: Generator) -> Augment | None:
        """Draw an epoch's random changes of `count` training inputs; None for none."""
        return None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return what the compressed file tells of the task: preprocessing, labels."""
        return {"labels": list(self.classes)} if self.classes else {}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides inputs, targets and loss beside the data, as JSON's types."""
        return {"task": self.name, **self.facts, "code": code_of(type(self))}


def takes_smoothing(loss: Callable[..., Any]) -> bool:
    """Tell whether a function can be given `label_smoothing` by name."""
    found = inspect.signature(loss).parameters.values()
    return any(p.name == "label_smoothing" or p.kind is p.VAR_KEYWORD for p in found)


DEFAULT_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dense": {"epochs": 30, "batch": 64, "optimizer": "adamw", "lr": 1e-3, "warmup_epochs": 1},
    "prune": {"epochs": 10, "batch": 64, "optimizer": "adamw", "lr": 5e-4},
    "quantize": {"epochs": 4, "batch": 64, "optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0},
}

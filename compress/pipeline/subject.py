"""What a run works on: a network and its data. The command line takes both from the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.training.task import Samples, Task

if TYPE_CHECKING:
    from torch import nn


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
class Subject:
    """A network by name, and a task if there is one."""

    name: str
    inputs: Sequence[Input]  #: in the order of the network's arguments
    batch: int | None = None  #: the one size of a batch that can be exported; None for any
    tolerance: float = 1e-3  #: of ONNX Runtime against torch, relative to the largest output
    build: Callable[[], nn.Module]  #: with random weights from torch's global generator
    load_pretrained: Callable[[nn.Module], None]
    is_pretrained: bool  #: there are published weights, made for the task at hand
    preprocessing: Mapping[str, object] | None = None  #: of published weights; None: the task's
    #: files, by name, that go with published weights
    attached: Callable[[], Mapping[str, bytes]] = dict
    task: Task | None
    root: Path  #: of the data sets


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A task's parts, loaded."""

    task: Task
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    train: Samples | None
    validation: Samples | None
    test: Samples

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a compressed file tells of the data."""
        return {"preprocessing": self.preprocessing.to_json(), "labels": list(self.classes)}


def load_data(subject: Subject, preprocessing: Mapping[str, object] | None) -> Data | None:
    """Load the subject's task, if it has one.

    Args:
        subject: the network and its task.
        preprocessing: what the weights were trained on; None for the task's own.

    Raises:
        DataError: when the task has no part to measure on, or the network takes no images.
    """
    task, root = subject.task, subject.root
    if task is None:
        return None
    if preprocessing is None:
        preprocessing = task.preprocessing(_image_shape(subject, task))
    test = task.load("test", root)
    if test is None:
        raise DataError(f"task {task.name} has no part to measure on in {root}")
    return Data(
        task=task,
        classes=task.classes(root),
        preprocessing=Preprocessing.from_json(preprocessing),
        train=task.load("train", root),
        validation=task.load("validation", root),
        test=test,
    )


def _image_shape(subject: Subject, task: Task) -> tuple[int, int, int]:
    match [given.shape for given in subject.inputs]:
        case [(channels, height, width)]:
            return channels, height, width
        case shapes:
            raise DataError(
                f"task {task.name} needs a network on images, got {subject.name} "
                f"on inputs of shape {', '.join(map(str, shapes))}"
            )

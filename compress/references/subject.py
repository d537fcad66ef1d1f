"""What a run works on: a network, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.tasks import Input, Takes

if TYPE_CHECKING:
    from torch import nn

    from compress.tasks import Task


@dataclass(frozen=True, slots=True)
class Given:
    """One input of a network."""

    name: str
    shape: tuple[int, ...]  #: of one sample: without the batch; 0 for a size that varies
    below: int | None = None  #: None for float32; else int64 in [0, below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """A network that Python builds."""

    #: with random weights from torch's global generator, or with those that it is given; for a
    #: task's classes, where there is one, a bare encoder gets a head
    build: Callable[[Task | None], nn.Module]
    load_pretrained: Callable[[nn.Module], None] | None = None  #: None where nothing is published
    is_trained: bool = False  #: `build` gives weights that are meant: no random ones
    #: loads what is published of a network that got another head; its training begins with that
    load_backbone: Callable[[nn.Module], None] | None = None
    #: whether published weights do a task as they are, without training
    is_made_for: Callable[[Task | None], bool] = lambda task: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Onnx:
    """A network that is a file already."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network by name."""

    name: str  #: of the run's files: letters, digits, `.`, `_` and `-`
    source: Torch | Onnx
    inputs: Sequence[Input]  #: in the order of the network's arguments
    batch: int | None = None  #: the one size of a batch that can be exported; None for any
    #: no axis of the inputs is of samples: shapes are whole, and samples are given one at a time
    is_alone: bool = False
    tolerance: float = 1e-3  #: of ONNX Runtime against torch, relative to the largest output
    preprocessing: Mapping[str, Any] | None = None  #: of published weights; None: the task's
    #: files, by name, that go with the network (a tokenizer.json)
    attached: Callable[[], Mapping[str, bytes]] = dict

    @property
    def takes(self) -> Takes:
        """Return what a task has to know of the network."""
        return Takes(
            name=self.name,
            inputs=self.inputs,
            preprocessing=self.preprocessing,
            tokenizer=self.attached().get("tokenizer.json"),
        )

"""What `--model` and `--task` say, made a network and a task: of the zoo, a file, a library."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress.references.subject import Onnx, Subject, Torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from compress.tasks import Task

__all__ = ["Onnx", "Subject", "Torch", "of_module", "resolve", "resolve_task"]


def resolve_task(text: str, root: Path) -> Task:
    """Return the task that a name says.

    Args:
        text: a name of the zoo.
        root: of the data sets.
    """
    from compress_zoo.tasks import registry

    return registry.get(text, root)


def resolve(text: str, *, task: Task | None = None, inputs: str | None = None) -> Subject:
    """Return the network that a reference says.

    Args:
        text: a name of the zoo.
        task: that the network is for.
        inputs: shape of its input, where nothing else tells.
    """
    from compress_zoo import registry

    entry = registry.get(text)
    classes = len(task.classes) if task is not None and task.classes else None
    return Subject(
        name=entry.name,
        source=Torch(
            build=lambda _: entry.build(classes),
            load_pretrained=entry.load_pretrained if entry.is_pretrained else None,
            is_made_for=lambda own: own is None or own.name in ("imagefolder", "stsb"),
        ),
        inputs=entry.inputs,
        batch=entry.batch,
        tolerance=entry.tolerance,
        preprocessing=entry.preprocessing,
        attached=entry.attached,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    name: str
    shape: tuple[int, ...]
    below: int | None


def of_module(model: nn.Module, examples: Sequence[Tensor], name: str) -> Subject:
    """Return a network that Python gives; it is copied, and keeps its weights.

    Args:
        model: of torch.
        examples: of its inputs, batch first.
        name: of the run's files.
    """
    inputs = [
        _Taken(
            "input" if len(examples) == 1 else f"input_{place}",
            tuple(example.shape[1:]),
            None if example.is_floating_point() else int(example.max()) + 1,
        )
        for place, example in enumerate(examples)
    ]
    source = Torch(build=lambda _: copy.deepcopy(model), is_trained=True)
    return Subject(name=name, source=source, inputs=inputs)

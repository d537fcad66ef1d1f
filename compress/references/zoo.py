"""Rows of the zoo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from compress_zoo import registry
from compress_zoo.entry import Entry, Transformers

from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

if TYPE_CHECKING:
    from torch import nn


def resolve(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return a row of the zoo; a task's classes decide its outputs, where it has such."""
    entry = registry.get(text)

    def build(own: Task | None) -> nn.Module:
        return _built(entry, own)

    gets_head = _gets_head(entry, task)
    return Subject(
        name=entry.name,
        source=Torch(
            build=build,
            load_pretrained=entry.load_pretrained if entry.is_pretrained else None,
            load_backbone=_backbone(entry) if gets_head and entry.is_pretrained else None,
            is_made_for=lambda own: _is_made_for(entry, own),
        ),
        inputs=inputs or entry.inputs,
        batch=entry.batch,
        tolerance=entry.tolerance,
        preprocessing=entry.preprocessing,
        attached=entry.attached,
    )


def _gets_head(entry: Entry, task: Task | None) -> bool:
    return task is not None and bool(task.classes) and isinstance(entry.source, Transformers)


def _built(entry: Entry, task: Task | None) -> nn.Module:
    if _gets_head(entry, task):
        from compress.references.head import Classifier

        assert task is not None
        names = [given.name for given in entry.inputs]
        return Classifier(entry.build(), names, len(task.classes))
    return entry.build(len(task.classes) if task is not None and task.classes else None)


def _backbone(entry: Entry) -> Callable[[nn.Module], None]:
    def load(model: nn.Module) -> None:
        entry.load_pretrained(model.get_submodule("encoder"))

    return load


def _is_made_for(entry: Entry, task: Task | None) -> bool:
    """Tell whether published weights do a task: ImageNet's classes, or texts without classes."""
    if task is None:
        return True
    if isinstance(entry.source, Transformers):
        return not task.classes
    return task.name == "imagefolder"

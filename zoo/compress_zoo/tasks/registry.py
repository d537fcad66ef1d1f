"""All tasks, by name. No data is looked at before it is loaded."""

from __future__ import annotations

from compress_zoo.errors import unknown
from compress_zoo.tasks.digits import Digits
from compress_zoo.tasks.imagefolder import ImageFolder
from compress_zoo.tasks.mnist import Mnist
from compress_zoo.tasks.stsb import Stsb
from compress_zoo.tasks.task import Task

_TASKS: tuple[Task | Stsb, ...] = (Digits(), Mnist(), ImageFolder(), Stsb())


def tasks() -> tuple[Task | Stsb, ...]:
    """Return all tasks."""
    return _TASKS


def get(name: str) -> Task | Stsb:
    """Return the task of a name; raise `ZooError` with the nearest names where there is none."""
    for task in _TASKS:
        if task.name == name:
            return task
    raise unknown("task", name, (task.name for task in _TASKS))

"""All tasks, by name. No data is looked at before it is loaded."""

from __future__ import annotations

from pathlib import Path

from compress.tasks import Task
from compress_zoo.errors import unknown
from compress_zoo.tasks.cifar10 import Cifar10
from compress_zoo.tasks.digits import Digits
from compress_zoo.tasks.imagefolder import ImageFolder
from compress_zoo.tasks.mnist import Mnist
from compress_zoo.tasks.sst2 import Sst2
from compress_zoo.tasks.stsb import Stsb

_TASKS: tuple[type[Digits | Mnist | Cifar10 | ImageFolder | Sst2 | Stsb], ...] = (
    Digits, Mnist, Cifar10, ImageFolder, Sst2, Stsb,
)  # fmt: skip


def names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return tuple(task.name for task in _TASKS)


def get(name: str, root: Path) -> Task:
    """Return the task of a name; raise `ZooError` with the nearest names where there is none.

    Args:
        name: of the task.
        root: of the data sets; `digits` needs none.
    """
    for task in _TASKS:
        if task.name == name:
            return task(root=root)
    raise unknown("task", name, names())

"""Where names become things: rows and tasks of the zoo, and the root of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress_zoo.tasks import MEASURED, TRAINED

from compress import places
from compress.errors import SettingsError

if TYPE_CHECKING:
    from compress_zoo.tasks.stsb import Stsb
    from compress_zoo.tasks.task import Task

    from compress.pipeline.subject import Subject
    from compress.recipe import Recipe


def data_root(given: str | Path | None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else the user's cache."""
    return places.data(given)


def models(begun: str) -> list[str]:
    """Return the names of networks that begin so, for the shell's completion."""
    from compress_zoo import registry

    return [entry.name for entry in registry.entries() if entry.name.startswith(begun)]


def tasks(begun: str) -> list[str]:
    """Return the names of tasks that begin so, for the shell's completion."""
    return [name for name in MEASURED if name.startswith(begun)]


def trainable(begun: str) -> list[str]:
    """Return the names of tasks that begin so and can be trained on."""
    return [name for name in TRAINED if name.startswith(begun)]


def task(name: str) -> Task | Stsb:
    """Return a task of the zoo that is measured on."""
    from compress_zoo.tasks import registry

    return registry.get(name)


def trained_task(name: str) -> Task:
    """Return a task of the zoo that a run can train and measure on."""
    from compress_zoo.errors import unknown
    from compress_zoo.tasks.stsb import Stsb

    if name not in MEASURED:
        raise unknown("task", name, TRAINED)
    found = task(name)
    if isinstance(found, Stsb):
        raise SettingsError(
            f"task {name} has nothing to train on: run without --task, then measure the file with "
            f"compress eval FILE --task {name}"
        )
    return found


def subject(recipe: Recipe) -> Subject:
    """Return the network and the data that a recipe names."""
    from compress_zoo import registry

    from compress.pipeline.subject import Subject

    entry = registry.get(recipe.model)
    root = data_root(recipe.data)
    chosen = trained_task(recipe.task) if recipe.task is not None else None
    classes = len(chosen.classes(root)) if chosen is not None else None
    return Subject(
        name=entry.name,
        inputs=entry.inputs,
        batch=entry.batch,
        tolerance=entry.tolerance,
        build=lambda: entry.build(classes),
        load_pretrained=entry.load_pretrained,
        is_pretrained=entry.is_pretrained and recipe.task in (None, "imagefolder"),
        preprocessing=entry.preprocessing,
        attached=entry.attached,
        task=chosen,
        root=root,
    )

"""Where names become things: rows and tasks of the zoo, and the root of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress import places
from compress.errors import SettingsError

if TYPE_CHECKING:
    from compress.pipeline.subject import Subject
    from compress.recipe import Recipe
    from zoo.tasks.stsb import Stsb
    from zoo.tasks.task import Task


def data_root(given: str | Path | None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else the user's cache."""
    return places.data(given)


def models(begun: str) -> list[str]:
    """Return the names of networks that begin so, for the shell's completion."""
    from zoo import registry

    return [entry.name for entry in registry.entries() if entry.name.startswith(begun)]


def tasks(begun: str) -> list[str]:
    """Return the names of tasks that begin so, for the shell's completion."""
    from zoo.tasks import registry

    return [task.name for task in registry.tasks() if task.name.startswith(begun)]


def trainable(begun: str) -> list[str]:
    """Return the names of tasks that begin so and can be trained on."""
    from zoo.tasks import registry
    from zoo.tasks.stsb import Stsb

    known = [task.name for task in registry.tasks() if not isinstance(task, Stsb)]
    return [name for name in known if name.startswith(begun)]


def task(name: str) -> Task | Stsb:
    """Return a task of the zoo."""
    from zoo.tasks import registry

    return registry.get(name)


def subject(recipe: Recipe) -> Subject:
    """Return the network and the data that a recipe names."""
    from compress.pipeline.subject import Subject
    from zoo import registry
    from zoo.tasks.stsb import Stsb

    entry = registry.get(recipe.model)
    root = data_root(recipe.data)
    chosen = task(recipe.task) if recipe.task is not None else None
    if isinstance(chosen, Stsb):
        raise SettingsError(
            f"task {chosen.name} is for compress eval; run without --task, then measure the file"
        )
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

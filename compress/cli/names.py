"""Where names become things: rows and tasks of the zoo, and the root of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress_zoo.tasks import NAMES

from compress import places

if TYPE_CHECKING:
    from compress.pipeline.subject import Subject
    from compress.recipe import Recipe
    from compress.tasks import Task


def data_root(given: str | Path | None) -> Path:
    """Return the root of the data sets: as given, else $COMPRESS_DATA, else the user's cache."""
    return places.data(given)


def models(begun: str) -> list[str]:
    """Return the names of networks that begin so, for the shell's completion."""
    from compress_zoo import registry

    return [entry.name for entry in registry.entries() if entry.name.startswith(begun)]


def tasks(begun: str) -> list[str]:
    """Return the names of tasks that begin so, for the shell's completion."""
    return [name for name in NAMES if name.startswith(begun)]


def task(name: str, root: Path) -> Task:
    """Return a task of the zoo."""
    from compress_zoo.tasks import registry

    return registry.get(name, root)


def subject(recipe: Recipe) -> Subject:
    """Return the network and the data that a recipe names."""
    from compress_zoo import registry

    from compress.pipeline.subject import Subject

    entry = registry.get(recipe.model)
    root = data_root(recipe.data)
    chosen = task(recipe.task, root) if recipe.task is not None else None
    classes = len(chosen.classes) if chosen is not None else None
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

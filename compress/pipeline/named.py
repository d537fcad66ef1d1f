"""The network and the task that a recipe names, or that Python gives in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress import places
from compress import recipe as recipes
from compress.recipe import Recipe
from compress.references import of_module, resolve, resolve_task
from compress.references.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from compress.tasks import Task


def named(recipe: Recipe, task: Task | None = None) -> tuple[Subject, Task | None]:
    """Return the network and the task of a recipe.

    Args:
        recipe: whose references are resolved.
        task: in place of the one that the recipe names.
    """
    root = places.data(recipe.data)
    if task is None and recipe.task is not None:
        task = resolve_task(recipe.task, root)
    return resolve(recipe.model, task=task, inputs=recipe.input), task


def given(
    recipe: Recipe | Mapping[str, Any],
    model: nn.Module | None,
    examples: Sequence[Tensor],
    task: Task | None,
) -> tuple[Recipe, Subject, Task | None]:
    """Return what Python gives as `named` does, and the recipe whole.

    Args:
        recipe: a mapping takes the values that the command line takes; a network or a task that is
            given needs no name there.
        model: in place of the one that the recipe names; it stays as it is.
        examples: of the model's inputs, batch first; by default those of the task's samples.
        task: in place of the one that the recipe names.
    """
    if not isinstance(recipe, Recipe):
        own: dict[str, Any] = {"model": type(model).__name__} if model is not None else {}
        own |= {"task": task.name} if task is not None else {}
        recipe = recipes.from_mapping({**own, **recipe})
    if model is None:
        return recipe, *named(recipe, task)
    if task is None and recipe.task is not None:
        task = resolve_task(recipe.task, places.data(recipe.data))
    return recipe, of_module(model, examples, recipe.model, task), task


def folder_of(subject: Subject, out: Path | str | None) -> Path:
    """Return the folder of a run's results."""
    return Path("runs") / subject.name if out is None else Path(out)

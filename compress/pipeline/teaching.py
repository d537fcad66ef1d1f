"""The network that teaches a run's trainings: the dense one itself, or another reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compress import recipe as recipes
from compress.errors import SettingsError, require
from compress.passes.settings import DistillSettings
from compress.pipeline import opening, used
from compress.pipeline.cache import key_of
from compress.pipeline.course import Course, Facts
from compress.pipeline.dense import dense
from compress.references import resolve

_STAGE = "teacher"


def teach(course: Course) -> Mapping[str, Facts]:
    """Bind the teacher of the recipe to all trainings, while the network is dense.

    Returns:
        What is known of another network that teaches, by its stage.

    Raises:
        SettingsError: when nothing is trained, or the teacher takes other inputs.
    """
    settings = course.recipe.passes.get("distill")
    if not isinstance(settings, DistillSettings):
        return {}
    recipe, data, subject = course.recipe, course.data, course.subject
    is_trained = any(used.training(row, recipe, data, subject) for row in recipe.rows)
    require(is_trained, "distill", "left out where nothing is trained", settings.teacher)
    facts, teacher = {}, course
    if not settings.is_dense:
        teacher = _opened(course, settings)
        facts[_STAGE] = dense(teacher, _STAGE)
    course.taught = key_of(recipes.section_of(settings), teacher.key)
    course.working.learn_from(teacher.working, settings, course.taught)
    return facts


def _opened(course: Course, settings: DistillSettings) -> Course:
    """Open another network on the same task."""
    assert course.data is not None
    recipe = replace(
        course.recipe, model=settings.teacher, weights=settings.weights, input=None,
        calibration=None, passes={}, steps=None, dense=None, epochs=None,
    )  # fmt: skip
    subject = resolve(recipe.model, task=course.data.task, inputs=None)
    opened = opening.open_run(recipe, subject, course.data.task, None)
    assert opened.data is not None
    if opened.data.task.settings != course.data.task.settings:
        raise SettingsError(
            f"distill must be a network that takes what {course.subject.name} takes, and "
            f"{subject.name} takes task {course.data.task.name} in another form"
        )
    return Course(
        recipe=recipe, subject=subject, opened=opened, folder=course.folder, notify=course.notify,
        cache=course.cache,
    )  # fmt: skip

"""What a run uses where its recipe says nothing: the source of the weights, its trainings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from compress import recipe as recipes
from compress.passes.apart import in_all
from compress.pipeline.dense import Source
from compress.pipeline.subject import Data, Subject
from compress.recipe import Recipe
from compress.training.data import Order, permutation
from compress.training.settings import TrainSettings

After = Literal["prune", "share"]  # stages that training follows

_SECTION: Mapping[After, Literal["fine_tune", "centroids"]] = {
    "prune": "fine_tune",
    "share": "centroids",
}


def baseline(recipe: Recipe, data: Data, model: str) -> TrainSettings:
    """Return how the dense network is trained."""
    return recipe.baseline or _of_task(data, "baseline", model)


def after(stage: After, recipe: Recipe, data: Data | None, model: str) -> TrainSettings | None:
    """Return how a stage is followed by training, or None where it is not."""
    passed = recipe.prune if stage == "prune" else recipe.quantize
    if passed is None or data is None or data.train is None or recipe.epochs == 0:
        return None
    section = _SECTION[stage]
    given = recipe.fine_tune if stage == "prune" else recipe.centroids
    settings = given or _of_task(data, section, model)
    return settings if recipe.epochs is None else replace(settings, epochs=recipe.epochs)


def used(
    recipe: Recipe,
    subject: Subject,
    source: Source,
    data: Data | None,
    *,
    device: str,
    digests: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return the settings of a run as JSON's types: what was given, and what was used beside it."""
    settings = {
        key: value for key, value in recipes.to_mapping(recipe).items() if value is not None
    }
    settings.pop("epochs", None)  # the trainings tell theirs
    for section in ("baseline", *_SECTION.values()):
        settings.pop(section, None)
    settings |= {"weights": str(source), "device": device}
    settings |= {name: digest for name, digest in digests.items() if digest is not None}
    if data is not None:
        settings["data"] = str(subject.root)
        if source == "trained":
            settings["baseline"] = asdict(baseline(recipe, data, subject.name))
    for stage, section in _SECTION.items():
        training = after(stage, recipe, data, subject.name)
        if training is not None:
            settings[section] = asdict(training)
    settings["inputs"] = ["x".join(map(str, given.shape)) for given in subject.inputs]
    return settings


def calibration(recipe: Recipe, data: Data) -> Order | None:
    """Return which training samples the sharing for a size looks at; None where it sees none."""
    settings = recipe.budget
    if settings is None or data.train is None:
        return None
    wanted = max(settings.samples, in_all(max(settings.compensated, settings.corrected)))
    return permutation(len(data.train), recipe.seed)[:wanted]


def digest_of(data: Data | None, recipe: Recipe, source: Source) -> str | None:
    """Digest the samples that decide a run's result, and how they are prepared.

    All images of the training part are read only where it is trained on, which reads them, too;
    else those that a stage looks at.
    """
    if data is None:
        return None
    trains = source == "trained" or any(
        after(stage, recipe, data, recipe.model) is not None for stage in _SECTION
    )
    digest = hashlib.sha256(json.dumps([data.facts, data.task.name], sort_keys=True).encode())
    seen = calibration(recipe, data)
    if seen is not None and data.train is not None and not trains:
        digest.update(data.train.digest(seen).encode())
    for part in (data.validation, data.test, *([data.train] if trains else [])):
        digest.update(part.digest().encode() if part is not None else b"-")
    if data.train is not None and not trains:
        digest.update(data.train.labels.tobytes())
    return digest.hexdigest()


def _of_task(
    data: Data, stage: Literal["baseline", "fine_tune", "centroids"], model: str
) -> TrainSettings:
    """Return the task's own settings, which were tuned on its validation part."""
    fields: dict[str, Any] = dict(data.task.training(stage, model))
    return TrainSettings(**fields)

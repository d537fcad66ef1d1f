"""What a run uses where its recipe says nothing: its trainings, and what decides its result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from compress import recipe as recipes
from compress.errors import require
from compress.passes.table import Pass
from compress.pipeline.data import Data, Sampler
from compress.pipeline.weights import Source
from compress.recipe import Recipe
from compress.references.subject import Onnx, Subject
from compress.training.settings import TrainSettings


def dense_training(recipe: Recipe, data: Data, model: str) -> TrainSettings:
    """Return how the dense network is trained."""
    return recipe.dense or TrainSettings(**data.task.training("dense", model))


def training(
    row: Pass, recipe: Recipe, data: Data | None, subject: Subject
) -> TrainSettings | None:
    """Return how a pass trains the network, or None where it does not.

    Raises:
        SettingsError: when it is asked to train a network that is a file.
    """
    held = recipe.passes[row.name]
    if isinstance(subject.source, Onnx):
        asked = recipe.epochs or getattr(held, "train", None) is not None
        told = f"left out: {subject.name} is a file, and not trained"
        require(not asked, "epochs", told, recipe.epochs)
        return None
    if not row.trains or data is None or data.train is None or recipe.epochs == 0:
        return None
    settings = held.train or TrainSettings(**data.task.training(row.name, subject.name))
    return settings if recipe.epochs is None else replace(settings, epochs=recipe.epochs)


def n_samples(
    row: Pass, recipe: Recipe, data: Data | None, subject: Subject, sampler: Sampler | None
) -> int:
    """Return how many samples without labels a pass looks at, those that judge it among them."""
    if sampler is None:
        return 0
    if row.trains_or_looks and training(row, recipe, data, subject) is not None:
        return 0
    return int(getattr(recipe.passes[row.name], "looks_at", 0))


def most_samples(
    recipe: Recipe, data: Data | None, subject: Subject, sampler: Sampler | None
) -> int:
    """Return how many samples without labels a run looks at."""
    counts = (n_samples(row, recipe, data, subject, sampler) for row in recipe.rows)
    return max(counts, default=0)


def trains(recipe: Recipe, source: Source, data: Data | None, subject: Subject) -> bool:
    """Tell whether the network is trained at all."""
    return source == "trained" or any(
        training(row, recipe, data, subject) is not None for row in recipe.rows
    )


def data_digest(
    recipe: Recipe, subject: Subject, source: Source, data: Data | None, sampler: Sampler | None
) -> str:
    """Digest the samples that decide a run's result.

    All of the training part is read only where it is trained on, which reads it, too.
    """
    digest = hashlib.sha256()
    if data is not None:
        parts = ["validation", "test"]
        if trains(recipe, source, data, subject):
            parts.append("train")
        digest.update(repr(data.decides(*parts)).encode())
    count = most_samples(recipe, data, subject, sampler)
    if sampler is not None and count:
        digest.update(sampler.digest(count).encode())
    return digest.hexdigest()


def used(
    recipe: Recipe,
    subject: Subject,
    source: Source,
    data: Data | None,
    *,
    samples: str | None,
    device: str,
    digests: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return the settings of a run as JSON's types: what was given, and what was used beside it.

    Args:
        recipe: as given.
        subject: the network.
        source: of its weights.
        data: of its task.
        samples: where samples without labels are from; None where none were looked at.
        device: that was trained on.
        digests: of what the run began with, by name.
    """
    settings = {
        key: value for key, value in recipes.to_mapping(recipe).items() if value is not None
    }
    settings.pop("epochs", None)  # the trainings tell theirs
    settings |= {"weights": str(source), "device": device}
    settings |= {name: digest for name, digest in digests.items() if digest is not None}
    if samples is not None:
        settings["samples"] = samples
    if data is not None and source == "trained":
        settings["dense"] = asdict(dense_training(recipe, data, subject.name))
    for row in recipe.rows:
        found = training(row, recipe, data, subject)
        if found is not None:
            settings[row.name] = {**settings[row.name], "train": asdict(found)}
    settings["inputs"] = ["x".join(map(str, given.shape)) for given in subject.inputs]
    return settings

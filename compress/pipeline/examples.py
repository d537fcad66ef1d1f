"""What the network and its file are compared on: examples of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, require
from compress.pipeline.data import Data, Sampler
from compress.pipeline.made_up import made_up
from compress.references.subject import Subject
from compress.tasks.outputs import all_of

_SAMPLES = 2  # enough for the exporter to tell the batch from a constant

Array = NDArray[Any]


def inputs_of(
    subject: Subject, data: Data | None, seed: int, sampler: Sampler | None = None
) -> list[Array]:
    """Return an example of each input: real where there is data or samples, else made up.

    It has the batch first, unless the network takes samples one at a time.

    Raises:
        SettingsError: when a task is given to a network that takes samples one at a time.
    """
    told = f"left out: inputs of {subject.name} have no axis of samples"
    require(data is None or not subject.is_alone, "task", told, data and data.task.name)
    batch = 1 if subject.is_alone else subject.batch or _SAMPLES
    if data is not None:
        found, _ = data.test.batch(np.arange(batch) % len(data.test))
        return [given[:batch] if subject.batch else given for given in all_of(found)]
    if sampler is not None and sampler.are_real:
        real = sampler.first(batch)
        held = [np.ascontiguousarray(g[np.arange(batch) % len(g)]) for g in real]
    else:
        held = list(made_up(subject.inputs, batch, seed))
    return [np.asarray(given[0]) for given in held] if subject.is_alone else held


def require_scores(outputs: list[Array], subject: Subject, data: Data) -> None:
    """Raise `DataError` unless a network gives a score for each class, and no more."""
    classes = data.task.classes
    if not classes:
        return
    match [found.shape for found in outputs]:
        case [(_, count)] if count == len(classes):
            return
        case shapes:
            raise DataError(
                f"task {data.task.name} needs a network that gives a score for each of "
                f"{len(classes)} classes, got {subject.name} with outputs of shape "
                f"{', '.join(map(str, shapes))}"
            )

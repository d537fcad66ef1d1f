"""What the network and its file are compared on: examples of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.pipeline.data import Data
from compress.references.subject import Subject
from compress.tasks.made_up import made_up
from compress.tasks.outputs import all_of

_SAMPLES = 2  # enough for the exporter to tell the batch from a constant

Array = NDArray[Any]


def inputs_of(subject: Subject, data: Data | None, seed: int) -> list[Array]:
    """Return an example of each input, batch first: real where there is data, else made up."""
    batch = subject.batch or _SAMPLES
    if data is None:
        return list(made_up(subject.inputs, batch, seed))
    found, _ = data.test.batch(np.arange(batch) % len(data.test))
    return [given[:batch] if subject.batch else given for given in all_of(found)]


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

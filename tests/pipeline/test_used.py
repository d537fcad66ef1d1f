"""What a run uses where its recipe says nothing, and what it is known by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compress_zoo.tasks import registry

from compress.pipeline import data as parts
from compress.pipeline.data import Data, Drawn, OfTask
from compress.pipeline.used import data_digest, n_samples, used
from compress.recipe import Recipe, from_mapping
from compress.references import resolve
from compress.references.subject import Subject
from compress.tasks.arrays import Rows

NAME = "lenet-300-100"
PLAIN = {"model": NAME, "task": "digits", "prune": 0.9, "quantize": "5bit"}
TRAININGS = ("dense", "prune", "quantize")


def recipe(**changes: Any) -> Recipe:
    return from_mapping({**PLAIN, **changes})


@pytest.fixture(scope="module")
def subject() -> Subject:
    return resolve(NAME)


@pytest.fixture(scope="module")
def data(subject: Subject) -> Data:
    found = parts.load(registry.get("digits", Path()), subject, None)
    assert found is not None
    return found


def told(
    given: Recipe, subject: Subject, data: Data | None, source: Any = "trained"
) -> dict[str, Any]:
    return used(
        given, subject, source, data, samples=None, device="cpu", digests={"weights_sha256": None}
    )


def trainings(found: dict[str, Any]) -> dict[str, Any]:
    held = {name: found[name].get("train") for name in TRAININGS[1:] if name in found}
    held["dense"] = found.get("dense")
    return {name: settings for name, settings in held.items() if settings is not None}


def test_the_task_s_settings_are_told(subject: Subject, data: Data) -> None:
    found = told(recipe(), subject, data)
    assert None not in found.values()
    assert (found["weights"], found["device"], found["inputs"]) == ("trained", "cpu", ["1x28x28"])
    for stage in TRAININGS:
        assert data.task.training(stage, NAME).items() <= trainings(found)[stage].items()
    assert "epochs" not in found
    given = trainings(told(recipe(epochs=2, dense={"epochs": 7}), subject, data))
    assert [given[stage]["epochs"] for stage in TRAININGS] == [7, 2, 2]


def test_trainings_that_are_not_done_are_not_told(subject: Subject, data: Data) -> None:
    assert not trainings(told(recipe(epochs=0), subject, data, Path("mine.safetensors")))
    assert not trainings(told(from_mapping({"model": NAME}), subject, None, "random"))
    only = told(from_mapping({**PLAIN, "prune": None}), subject, data)
    assert trainings(only).keys() == {"dense", "quantize"}
    assert not trainings(told(recipe(), subject, replace(data, train=None), "pretrained"))


def changed(samples: Any, place: int = 0) -> Rows:
    inputs, targets = samples.batch(np.arange(len(samples)))
    other = inputs.copy()
    other[place, 0, 0, 0] += 1
    return Rows((other,), (targets,))


def known(
    given: Recipe, subject: Subject, data: Data, source: Any = "trained", seed: int = 0
) -> str:
    assert data.train is not None
    return data_digest(given, subject, source, data, Drawn(OfTask(data.train), seed))


def test_other_samples_are_other_data(subject: Subject, data: Data) -> None:
    first = known(recipe(), subject, data)
    assert first == known(recipe(), subject, data)
    for part in ("train", "validation", "test"):
        other = replace(data, **{part: changed(getattr(data, part))})
        assert known(recipe(), subject, other) != first


@pytest.mark.parametrize("epochs", [None, 0])
def test_pruning_looks_at_samples_where_it_does_not_train(
    subject: Subject, data: Data, epochs: int | None
) -> None:
    given = from_mapping({"model": NAME, "task": "digits", "prune": 0.5, "epochs": epochs})
    (row,) = given.rows
    assert data.train is not None
    drawn = Drawn(OfTask(data.train), 0)
    assert (n_samples(row, given, data, subject, drawn) > 0) == (epochs == 0)
    assert n_samples(row, given, None, subject, drawn) > 0  # no data to train on
    assert n_samples(row, given, None, subject, None) == 0  # random weights


def test_samples_that_errors_cancel_on_are_data(subject: Subject, data: Data) -> None:
    given = from_mapping({"model": NAME, "task": "digits", "target_bytes": 20_000})
    assert data.train is not None
    whole = Rows(*(((array,) if isinstance(array, np.ndarray) else array)
                   for array in data.train.batch(np.arange(len(data.train)))))  # fmt: skip
    seen = np.random.default_rng(0).permutation(len(whole))[:250]
    first = known(given, subject, replace(data, train=whole), "random")
    for place, matters in (
        (int(seen[0]), True),
        (next(i for i in range(len(whole)) if i not in seen), False),
    ):
        other = replace(data, train=changed(whole, place))
        assert (known(given, subject, other, "random") != first) is matters

"""What a run uses where its recipe says nothing, and what it is known by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from compress.pipeline.subject import Data, load_data
from compress_zoo.tasks.task import Arrays

from compress.cli import names
from compress.pipeline.used import calibration, digest_of, used
from compress.recipe import Recipe, from_mapping

PLAIN = {"model": "lenet-300-100", "task": "digits", "prune": 0.9, "quantize": "5bit"}


def recipe(**changes: Any) -> Recipe:
    return from_mapping({**PLAIN, **changes})


@pytest.fixture(scope="module")
def data() -> Data:
    found = load_data(names.subject(recipe()), None)
    assert found is not None
    return found


def told(given: Recipe, data: Data | None, source: Any = "trained") -> dict[str, Any]:
    subject = names.subject(given)
    return used(given, subject, source, data, device="cpu", digests={"weights_sha256": None})


def test_the_task_s_settings_are_told(data: Data) -> None:
    found = told(recipe(), data)
    assert None not in found.values()
    assert (found["weights"], found["device"], found["inputs"]) == ("trained", "cpu", ["1x28x28"])
    stages: tuple[Literal["baseline", "fine_tune", "centroids"], ...]
    stages = ("baseline", "fine_tune", "centroids")
    for section in stages:
        expected = data.task.training(section, PLAIN["model"])
        assert expected.items() <= found[section].items()
    assert "epochs" not in found
    given = told(recipe(epochs=2, baseline={"epochs": 7}), data)
    epochs = [given[section]["epochs"] for section in ("baseline", "fine_tune", "centroids")]
    assert epochs == [7, 2, 2]


def test_trainings_that_are_not_done_are_not_told(data: Data) -> None:
    trainings = {"baseline", "fine_tune", "centroids"}
    assert not trainings & told(recipe(epochs=0), data, Path("mine.safetensors")).keys()
    assert not trainings & told(from_mapping({"model": PLAIN["model"]}), None, "random").keys()
    only = told(from_mapping({**PLAIN, "prune": None}), data)
    assert trainings & only.keys() == {"baseline", "centroids"}
    without = told(recipe(), replace(data, train=None), "pretrained")
    assert not trainings & without.keys()


def test_other_samples_are_other_data(data: Data) -> None:
    def changed(samples: Any) -> Arrays:
        pixels = np.stack(samples.images(np.arange(len(samples))))
        pixels[0, 0, 0] ^= 1
        return Arrays(pixels, samples.labels)

    first = digest_of(data, recipe(), "trained")
    assert first == digest_of(data, recipe(seed=5), "trained")
    for part in ("train", "validation", "test"):
        other = replace(data, **{part: changed(getattr(data, part))})
        assert digest_of(other, recipe(), "trained") != first
    assert digest_of(replace(data, classes=tuple(map(str, range(1, 11)))), recipe(), "x") != first
    assert digest_of(None, recipe(), "trained") is None


def test_samples_that_a_size_is_chosen_on_are_data(data: Data) -> None:
    given = from_mapping({"model": PLAIN["model"], "task": "digits", "budget": 20_000})
    seen = calibration(given, data)
    assert seen is not None
    assert data.train is not None
    first, count = digest_of(data, given, "random"), len(data.train)
    for place, matters in (
        (int(seen[0]), True),
        (next(i for i in range(count) if i not in seen), False),
    ):
        pixels = np.stack(data.train.images(np.arange(count)))
        pixels[place, 0, 0] ^= 1
        other = replace(data, train=Arrays(pixels, data.train.labels))
        assert (digest_of(other, given, "random") != first) is matters

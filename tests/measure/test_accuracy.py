"""The count of right answers, on networks whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compress_zoo.tasks.task import Arrays
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.accuracy import top1
from compress.preprocess import Preprocessing

PREPROCESSING = Preprocessing(mode="L", crop=(1, 4), scale=1.0)


@dataclass
class Brightest:
    """A network whose class is the place of the brightest of four pixels."""

    batch: int | str | None = "batch"
    sizes: list[int] = field(default_factory=list)

    @property
    def inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="pixels", shape=(self.batch, 1, 1, 4))]

    @property
    def outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="scores")]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.sizes.append(len(inputs["pixels"]))
        return {"scores": inputs["pixels"].reshape(-1, 4)}


def samples(count: int, n_wrong: int) -> Arrays:
    labels = np.arange(count) % 4
    pixels = np.full((count, 1, 4), 7, np.uint8)
    pixels[np.arange(count), 0, labels] = 200
    return Arrays(pixels, np.where(np.arange(count) < n_wrong, (labels + 1) % 4, labels))


def test_right_answers_are_counted() -> None:
    seen: list[tuple[int, int]] = []
    network = Brightest()
    right = top1(network, samples(600, 11), PREPROCESSING, progress=lambda *at: seen.append(at))
    assert right == 589
    assert sum(network.sizes) == 600
    assert seen[-1] == (600, 600)


@pytest.mark.parametrize("batch", [1, 4, 5, 64])
def test_a_network_of_a_fixed_batch_gets_that_batch(batch: int) -> None:
    network = Brightest(batch)
    assert top1(network, samples(13, 3), PREPROCESSING) == 10
    assert set(network.sizes) == {batch}


@pytest.mark.parametrize("batch", ["batch", 3])
def test_labels_that_are_no_classes(batch: int | str) -> None:
    few = samples(4, 0)
    with pytest.raises(DataError, match=r"labels up to \d do not fit the network's output \(\d, 4"):
        top1(Brightest(batch), Arrays(few.pixels, few.labels + 6), PREPROCESSING)


def test_an_output_that_holds_no_scores() -> None:
    class Flat(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"scores": np.array(1, np.float32)}

    with pytest.raises(DataError, match="which class the network says is not told"):
        top1(Flat(), samples(4, 0), PREPROCESSING)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("batch", ["batch", 3])
def test_a_network_whose_outputs_are_not_finite_has_no_accuracy(
    batch: int | str, wrong: float
) -> None:
    class Broken(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            scores = super().run(inputs)["scores"]
            return {"scores": np.where(scores[:, :1] > 100, wrong, scores)}  # of every fourth

    with pytest.raises(DataError, match="outputs are not finite for 2 of 8 images, so it has no"):
        top1(Broken(batch), samples(8, 0), PREPROCESSING)


def test_equal_scores_count_for_the_first_class() -> None:
    class Alike(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"scores": np.ones((len(inputs["pixels"]), 4), np.float32)}

    assert top1(Alike(), samples(8, 0), PREPROCESSING) == 2


def test_classes_of_another_order_and_number() -> None:
    found = samples(40, 3)
    turned = Arrays(found.pixels, 3 - found.labels)
    assert top1(Brightest(), turned, PREPROCESSING, labels=found.labels) == 37
    with pytest.raises(DataError, match=r"a score for each of 5 classes, got .* \(40, 4\)"):
        top1(Brightest(), found, PREPROCESSING, classes=list("abcde"))

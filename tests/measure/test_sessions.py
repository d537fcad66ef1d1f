"""Metrics of sessions, on networks whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.sessions import evaluate_session
from compress.preprocess import Preprocessing
from compress.tasks import Arrays as ArrayTask
from compress.tasks import Metric, Task
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays
from tests.tasks.images import Made

PREPROCESSING = Preprocessing(mode="L", crop=(1, 4), scale=1.0)
TASK = Made(preprocessing=PREPROCESSING, classes=tuple("abcd"))


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


def samples(count: int, n_wrong: int) -> Images:
    labels = np.arange(count) % 4
    pixels = np.full((count, 1, 4), 7, np.uint8)
    pixels[np.arange(count), 0, labels] = 200
    labels = np.where(np.arange(count) < n_wrong, (labels + 1) % 4, labels)
    return Images(Arrays(pixels, labels), PREPROCESSING)


def test_right_answers_are_counted() -> None:
    seen: list[tuple[int, int]] = []
    network = Brightest()
    right = evaluate_session(network, TASK, samples(600, 11), progress=lambda *at: seen.append(at))
    assert right == 589 / 600
    assert sum(network.sizes) == 600
    assert seen[-1] == (600, 600)


@pytest.mark.parametrize("batch", [1, 4, 5, 64])
def test_a_network_of_a_fixed_batch_gets_that_batch(batch: int) -> None:
    network = Brightest(batch)
    assert evaluate_session(network, TASK, samples(13, 3)) == 10 / 13
    assert set(network.sizes) == {batch}


@pytest.mark.parametrize("batch", ["batch", 3])
def test_labels_that_are_no_classes(batch: int | str) -> None:
    few = samples(4, 0)
    few.labels[1] = 6
    with pytest.raises(DataError, match=r"labels must be in \[0, 4\), got \d to 6"):
        evaluate_session(Brightest(batch), TASK, few)


def test_an_output_that_holds_no_scores() -> None:
    class Flat(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"scores": np.array(1, np.float32)}

    with pytest.raises(DataError, match="which class the network says is not told"):
        evaluate_session(Flat(), TASK, samples(4, 0))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("batch", ["batch", 3])
def test_a_network_whose_outputs_are_not_finite_has_no_accuracy(
    batch: int | str, wrong: float
) -> None:
    class Broken(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            scores = super().run(inputs)["scores"]
            return {"scores": np.where(scores[:, :1] > 100, wrong, scores)}  # of every fourth

    with pytest.raises(DataError, match="outputs are not finite for 2 of 8 samples, so it has no"):
        evaluate_session(Broken(batch), TASK, samples(8, 0))


def test_equal_scores_count_for_the_first_class() -> None:
    class Alike(Brightest):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"scores": np.ones((len(inputs["pixels"]), 4), np.float32)}

    assert evaluate_session(Alike(), TASK, samples(8, 0)) == 2 / 8


def test_classes_of_another_order_and_number() -> None:
    found = samples(40, 3)
    turned = Images(Arrays(found.pictures.pixels, 3 - found.labels), PREPROCESSING)  # type: ignore[attr-defined]
    assert evaluate_session(Brightest(), TASK, turned, labels=tuple("dcba")) == 37 / 40
    with pytest.raises(DataError, match=r"a score for each of 5 classes, got .* \(40, 4\)"):
        evaluate_session(Brightest(), TASK, found, labels=list("abcde"))
    with pytest.raises(DataError, match=r"class 'a' of the data is none of the file's 4"):
        evaluate_session(Brightest(), TASK, found, labels=list("wxyz"))


@dataclass
class Adder:
    """A network of two inputs and two outputs, the first of which is their sum."""

    batch: int | None = None

    @property
    def inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, shape=(self.batch, 2)) for name in "ab"]

    @property
    def outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in ("sum", "a")]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {"sum": inputs["a"] + inputs["b"], "a": inputs["a"]}


def measured(network: object, task: Task, **options: Any) -> float:
    found = task.load("test")
    assert found is not None
    return evaluate_session(network, task, found, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [None, 3])
def test_numbers_of_several_inputs(batch: int | None) -> None:
    first, second = np.random.default_rng(0).integers(0, 9, (2, 7, 2)).astype(np.float32)
    parts = ((first, second), first + second + 0.25)
    assert measured(Adder(batch), ArrayTask(test=parts)) == 0.25

    def each(outputs: tuple[NDArray[Any], ...], targets: NDArray[Any]) -> NDArray[Any]:
        return (outputs[1] - targets).max(1)

    own = ArrayTask(
        test=parts, metric=Metric(name="most", each=each, whole=lambda each: float(each.max()))
    )
    assert measured(Adder(batch), own) == (first - parts[1]).max(1).max()


def test_a_metric_that_gives_no_figure_a_sample() -> None:
    task = ArrayTask(test=(np.zeros((4, 1, 1, 4)), np.zeros(4)), metric=lambda outputs, targets: 1)
    with pytest.raises(DataError, match=r"metric <lambda> must give a figure for each of 4 samp"):
        measured(Brightest(), task)


def test_another_number_of_inputs() -> None:
    task = ArrayTask(test=((np.zeros((4, 2)),) * 3, np.zeros(4)))
    with pytest.raises(DataError, match=r"must be given 2 inputs \(a, b\), got 3"):
        measured(Adder(), task)

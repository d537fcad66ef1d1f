"""Which class a network says, in every form that classifiers of other libraries have."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.answers import ask, order, read

NAN, INF = float("nan"), float("inf")
SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], np.float32)
MAPS = [{"ant": 0.1, "bee": 0.9}, {"ant": 0.75, "bee": 0.25}]
ACCENT, APART = "caf\u00e9", "cafe\u0301"  # the same name in Unicode's NFC and NFD


def _first(outputs: Mapping[str, Any]) -> list[object]:
    said = read(outputs, 2)
    return [said.top(sample, 5)[0][0] for sample in range(2)]


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        ({"y": SCORES}, [1, 0]),
        ({"y": SCORES.reshape(2, 3, 1, 1)}, [1, 0]),
        ({"y": (SCORES * 100).astype(np.uint8)}, [1, 0]),
        ({"y": np.array([2, 0])}, [2, 0]),
        ({"y": np.array([[2], [0]], np.int32)}, [2, 0]),
        ({"y": np.array(["b", "a"], object)}, ["b", "a"]),
        ({"y": MAPS}, ["bee", "ant"]),
        # skl2onnx: a map, a matrix, columns, one column; labels need not count from 0
        ({"label": np.array(["bee", "ant"], object), "p": MAPS}, ["bee", "ant"]),
        ({"label": np.array([1, 0]), "probabilities": SCORES}, [1, 0]),
        ({"label": np.array([6, 5]), "probabilities": SCORES}, [6, 5]),
        ({"label": np.array([1, 0]), "i0": SCORES[:, 0], "i1": SCORES[:, 1]}, [1, 0]),
        ({"label": np.array([1, 0]), "probabilities": SCORES[:, :1]}, [1, 0]),
        ({"label": np.array([[-1], [1]]), "scores": SCORES[:, :1]}, [-1, 1]),
        # where they differ the label is the class: k-means gives distances
        ({"label": np.array([0, 1]), "scores": SCORES}, [0, 1]),
        ({"p": [{0: 0.4, 1: 0.6}] * 2, "label": np.array([0, 1])}, [0, 1]),
        ({"features": np.zeros((2, 5), np.float32), "logits": SCORES}, [1, 0]),
        # a regression
        ({"y": SCORES[:, :1]}, [None, None]),
        ({"y": SCORES[:, 0]}, [None, None]),
    ],
)
def test_the_class_is_what_the_network_says(
    outputs: Mapping[str, Any], classes: list[object]
) -> None:
    assert _first(outputs) == classes


@pytest.mark.parametrize(
    "outputs",
    [
        {"a": SCORES, "b": SCORES},
        {"boxes": np.zeros((2, 4, 4)), "classes": np.zeros((2, 4)), "number": np.array([3, 4])},
        {"label": np.zeros((2, 2), np.int64), "probabilities": [SCORES, SCORES]},
        {"y": np.zeros((2, 3, 8, 8), np.float32)},
        {"y": np.zeros((2, 3), np.int64)},  # the three best, or words
        {"y": np.zeros((2, 0), np.float32)},
        {"y": np.zeros((3, 2), np.float32)},
        {"y": np.array(1.0)},
        {"y": [MAPS[0], {}]},
        {"variable": SCORES},  # skl2onnx's regression on three values
    ],
)
def test_what_tells_no_class_is_refused(outputs: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match=r"is not told by its outputs \(.*compress.runtime.load$"):
        read(outputs, 2)


def test_maps_of_other_classes() -> None:
    with pytest.raises(DataError, match="holds other classes from sample to sample"):
        read({"p": [{"a": 1.0}, {"b": 1.0}]}, 2)


def test_others_are_told_where_it_is_known_whose_their_scores_are() -> None:
    assert read({"y": SCORES}, 2).top(0, 2) == [
        (1, pytest.approx(0.7)),
        (2, pytest.approx(0.2)),
    ]
    labels = np.array(["ant", "ant"], object)
    assert read({"label": labels, "p": MAPS}, 2).top(0, 5) == [("ant", 0.1), ("bee", 0.9)]
    assert read({"label": np.array([1, 5]), "p": SCORES}, 2).top(0, 5) == [(1, pytest.approx(0.7))]
    assert read({"label": np.array([1, 5]), "p": SCORES}, 2).top(1, 5) == [(5, None)]
    assert read({"y": SCORES[:, :1]}, 2).top(0, 5) == [(None, pytest.approx(0.1))]


def test_of_equal_scores_the_first_class_is_the_best() -> None:
    scores = np.array([[1, 3, 3, 2], [0, 0, 0, 0]], np.float32)
    said = read({"y": scores}, 2)
    assert [place for place, _ in said.top(0, 4)] == [1, 2, 3, 0]
    assert [place for place, _ in said.top(1, 4)] == [0, 1, 2, 3]
    assert said.numbers(()).tolist() == scores.argmax(1).tolist() == [1, 0]
    assert order(np.array([200, 3, 200], np.uint8)).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([NAN, 1.0], False), ([NAN, NAN], False), ([INF, 1.0], False), ([-INF, -INF], False),
        ([-INF, 1.0], True), ([0.0, 1.0], True),
    ],
)  # fmt: skip
def test_scores_that_are_not_finite_say_nothing(row: list[float], told: bool) -> None:
    scores = np.array([row, [0, 1]], np.float16)
    said = read({"y": scores}, 2)
    assert said.told.tolist() == [told, True]
    assert bool(said.top(0, 5)) is told
    beside = read({"label": np.array([0, 1]), "p": scores}, 2)
    assert beside.told.tolist() == [told, True]


def test_numbers_of_what_is_said() -> None:
    strings = {"y": np.array([APART, "tea"], object)}
    assert read(strings, 2).numbers(["tea", ACCENT]).tolist() == [1, 0]
    five = {"y": np.array([5, 1])}
    assert read(five, 2).numbers(["1", "5"]).tolist() == [1, 0]  # names are numbers
    assert read({"y": np.array([1, 0])}, 2).numbers(["cat", "dog"]).tolist() == [1, 0]
    for outputs, classes in ((five, ["cat", "dog"]), (five, ["1", "2"]), (strings, ["tea"])):
        with pytest.raises(DataError, match=rf"says class .*, which is none of the {len(classes)}"):
            read(outputs, 2).numbers(classes)
    with pytest.raises(DataError, match="one value a sample, and no class"):
        read({"y": SCORES[:, :1]}, 2).numbers(["cat", "dog"])


class _Fixed:
    """A network that takes three samples at a time and gives each back, as a map, too."""

    inputs = (SimpleNamespace(name="x", shape=(3, 2)),)
    outputs = (SimpleNamespace(name="label"), SimpleNamespace(name="p"))

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        assert inputs["x"].shape == (3, 2)
        return {"label": inputs["x"].argmax(1), "p": [dict(enumerate(row)) for row in inputs["x"]]}


def test_a_network_of_a_fixed_batch_answers_all() -> None:
    rows = np.random.default_rng(0).random((7, 2))
    said = ask(_Fixed(), rows)
    assert said.numbers(("a", "b")).tolist() == rows.argmax(1).tolist()
    assert [said.top(i, 1)[0][1] for i in range(7)] == rows.max(1).tolist()

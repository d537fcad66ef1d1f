"""A task of arrays: parts, types, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compress.errors import DataError
from compress.tasks import Arrays, Metric, Takes
from compress.tasks.content import code_of
from tests import needs

X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12) % 3


def takes(*shapes: tuple[int, ...], below: int | None = None) -> Takes:
    inputs = [SimpleNamespace(name=f"x{i}", shape=s, below=below) for i, s in enumerate(shapes)]
    return Takes(name="net", inputs=inputs)


def batch(task: Arrays, indices: list[int]) -> tuple[Any, Any]:
    samples = task.load("test")
    assert samples is not None
    return samples.batch(indices)


def test_every_tenth_training_sample_validates() -> None:
    task = Arrays(train=(X, Y), test=(X, Y), classes="abc", name="mine")
    sizes = {part: task.load(part) for part in ("train", "validation", "test")}  # type: ignore[arg-type]
    assert {part: len(found) for part, found in sizes.items() if found} == {
        "train": 11, "validation": 1, "test": 12,
    }  # fmt: skip
    assert sizes["validation"].batch([0])[0].tolist() == [[18, 19]]  # type: ignore[union-attr]
    assert (task.name, task.classes) == ("mine", ("a", "b", "c"))
    assert task.facts == {"labels": ["a", "b", "c"]}
    few = Arrays(train=(X[:9], Y[:9]), test=(X, Y))
    assert few.load("validation") is None
    given = Arrays(train=(X, Y), validation=(X[:2], Y[:2]), test=(X, Y)).load("train")
    assert given is not None
    assert len(given) == 12
    assert Arrays(test=(X, Y)).load("train") is None


def test_types_become_those_of_networks_and_losses() -> None:
    inputs, targets = batch(Arrays(test=(X, Y.astype(np.int8))), [1, 0])
    assert inputs.tolist() == [[2, 3], [0, 1]]
    assert (inputs.dtype, targets.dtype) == (np.float32, np.int64)
    inputs, targets = batch(Arrays(test=((X.astype(">f8"), Y.astype(np.uint8)), X)), [1])
    assert [held.dtype for held in inputs] == [np.float32, np.uint8]
    assert targets.dtype == np.float32
    wanted = Arrays(test=(Y.astype(np.uint8)[:, None], Y)).suited(takes((1,)))
    assert batch(wanted, [0])[0].dtype == np.float32
    wanted = Arrays(test=(Y.astype(np.uint8)[:, None], Y)).suited(takes((0,), below=9))
    assert batch(wanted, [0])[0].dtype == np.int64
    assert batch(Arrays(test=([[1.5], [2.5]], [True, False])), [0])[1].tolist() == [1]


def test_lists_of_targets() -> None:
    _, targets = batch(Arrays(test=(X, (Y, X))), [3])
    assert [held.tolist() for held in targets] == [[0], [[6, 7]]]


def test_loss_and_metric_follow_from_the_targets() -> None:
    assert Arrays(test=(X, Y)).metric.name == "accuracy"
    assert Arrays(test=(X, Y > 1)).metric.name == "accuracy"
    numbers = Arrays(test=(X, X)).metric
    assert (numbers.name, numbers.higher_is_better) == ("mean absolute error", False)

    def top_two(outputs: Any, targets: Any) -> Any:
        return outputs

    own = Arrays(test=(X, Y), metric=top_two).metric
    assert (own.name, own.higher_is_better, own.is_fraction) == ("top two", True, False)
    metric = Metric(name="m", each=top_two)
    assert Arrays(test=(X, Y), metric=metric).metric is metric


def test_losses() -> None:
    needs.module("torch")
    import torch

    scores, labels = torch.tensor([[2.0, 0, 0]]), torch.tensor([1])
    plain = Arrays(test=(X, Y))
    assert plain.loss(scores, labels) == torch.nn.functional.cross_entropy(scores, labels)
    smooth = torch.nn.functional.cross_entropy(scores, labels, label_smoothing=0.1)
    assert plain.loss((scores, None), labels, label_smoothing=0.1) == smooth
    numbers = Arrays(test=(X, X[:, 0]))
    assert numbers.loss(torch.tensor([[1.0], [4.0]]), torch.tensor([1.0, 2.0])) == 2
    with pytest.raises(DataError, match=r"must have the shape of its targets, \(2,\), got \(2, 2"):
        numbers.loss(torch.ones(2, 2), torch.ones(2))
    own = Arrays(test=(X, Y), loss=lambda outputs, targets: outputs.sum())
    assert own.loss(scores, labels) == 2
    assert [task.smooths for task in (plain, numbers, own)] == [True, False, False]


def test_settings_tell_ones_own_code_apart() -> None:
    def first(outputs: Any, targets: Any) -> Any:
        return outputs.sum()

    def second(outputs: Any, targets: Any) -> Any:
        return outputs.mean()

    tasks = [
        Arrays(test=(X, Y), **own)
        for own in ({}, {"loss": first}, {"loss": second}, {"metric": first}, {"metric": second})
    ]
    keys = {json.dumps(task.settings) for task in tasks}
    assert len(keys) == 5
    assert tasks[1].settings == Arrays(test=(X, Y), loss=first).settings
    assert Arrays(test=(X, Y), loss=partial(first)).settings["loss"] == code_of(partial(first))


def test_settings_by_stage() -> None:
    task = Arrays(test=(X, Y), training={"dense": {"epochs": 2}, "prune": {"epochs": 3}})
    stages = ("dense", "prune", "quantize")
    assert [task.training(stage, "net")["epochs"] for stage in stages] == [2, 3, 3]
    assert Arrays(test=(X, Y)).training("quantize", "net")["optimizer"] == "adam"


def test_digest_is_of_inputs_and_targets() -> None:
    def digest(x: Any, y: Any) -> str:
        found = Arrays(test=(x, y)).load("test")
        assert found is not None
        return found.digest()

    other = X.copy()
    other[3, 1] += 1
    digests = [digest(X, Y), digest(other, Y), digest(X, Y[::-1]), digest((X, X), Y), digest(X, X)]
    assert len({*digests}) == 5
    assert digest(np.asfortranarray(X), Y.tolist()) == digests[0]
    found = Arrays(test=(X, Y)).load("test")
    assert found is not None
    assert found.digest(range(12)) == digests[0] != found.digest([0])
    assert found.in_memory(0) is found


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "test must be given to task arrays: what a network is judged by"),
        ({"test": X}, r"test must be \(inputs, targets\), got ndarray"),
        ({"test": (X, Y[:3])}, r"test must be arrays of as many rows, .* shapes \(12, 2\), \(3,\)"),
        ({"test": (X[:0], Y[:0])}, "test must be arrays of as many rows, at least one"),
        ({"test": (X, 3)}, "test must be arrays of as many rows"),
        ({"test": ((), Y)}, "test must be arrays of as many rows"),
        ({"test": (X, Y), "train": (X, X * np.nan)}, "train must have finite targets, got NaN"),
        ({"test": (np.array(["a", "b"]), Y[:2])}, "arrays must hold numbers, got <U1"),
        ({"test": (X.astype(object), Y)}, "arrays must hold numbers, got object"),
    ],
)
def test_parts_that_are_none(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Arrays(**parts)


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ([(2,), (2,)], "net must be given 2 inputs, and task arrays has 1"),
        ([(3,)], r"net takes x0 of shape \(3,\) a sample, and task arrays has \(2,\)"),
        ([(1, 2)], r"net takes x0 of shape \(1, 2\) a sample, and task arrays has \(2,\)"),
    ],
)
def test_networks_that_take_something_else(taken: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Arrays(test=(X, Y)).suited(takes(*taken))
    Arrays(test=(X, Y)).suited(takes((0,)))

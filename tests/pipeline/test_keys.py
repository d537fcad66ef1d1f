"""What decides a stage's result decides its key, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compress.pipeline import outcome
from compress.pipeline.course import Course
from tests.pipeline import courses
from tests.pipeline.courses import Asked, Net, recipe, row, rows, subject, task


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    courses.with_rows(
        monkeypatch,
        row(),
        row("again"),
        row("training", trains=True),
        row("sized", needs_file=True),
    )


class Tanh(Net):
    """The same weights and layers, another activation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        held: torch.Tensor = self.last(self.drop(torch.tanh(self.first(x))))
        return held


class Noisy(Net):
    """The same when it is not trained."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = torch.randn_like(x) if self.training else 0
        return super().forward(x + noise)


class Plain(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(16, 2))


def keys(out: Path, network: Any = None, data: Any = None, **settings: Any) -> list[str]:
    """Return the keys that a run asks for: of the trained network, of its facts, of each pass."""
    with courses.course(
        out, recipe(**settings), network or subject(), task() if data is None else data
    ) as held:
        return asked(held)


def asked(held: Course) -> list[str]:
    assert isinstance(held.cache, Asked)
    return held.cache.keys


def trained(out: Path, **changes: Any) -> str:
    return keys(out, **changes)[0]


OTHER = rows(3)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": task(train=OTHER)},
        {"data": task(validation=OTHER)},
        {"data": task(classes=("dog", "cat"))},
        {"data": task(loss=lambda outputs, targets: outputs.square().mean())},
        {"dense": {"epochs": 2}},
        {"seed": 1},
        {"network": subject(Tanh)},
        {"network": subject(Noisy)},
        {"network": subject(Net, 0.2)},
        {"network": subject(Plain)},
    ],
    ids=[
        "train", "validation", "classes", "loss", "settings", "seed", "activation",
        "only in training", "rate", "layers",
    ],
)  # fmt: skip
def test_what_decides_the_dense_weights(changes: dict[str, Any], tmp_path: Path) -> None:
    assert trained(tmp_path / "a") != trained(tmp_path / "b", **changes)


def test_what_does_not_decide_them(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    assert trained(tmp_path / "b", data=task(test=OTHER)) == first
    assert trained(tmp_path / "c", network=subject(name="other")) == first
    assert trained(tmp_path / "d", coder="best", counted=3) == first


def test_threads_decide_in_which_order_floats_are_summed(tmp_path: Path) -> None:
    here, threads = trained(tmp_path / "a"), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert trained(tmp_path / "b") != here
    finally:
        torch.set_num_threads(threads)


def test_versions_of_packages_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys(tmp_path / "a", counted=3)
    monkeypatch.setattr(outcome, "versions", lambda: {"torch": "another"})
    assert not {*first} & {*keys(tmp_path / "b", counted=3)}


def passes(out: Path, **changes: Any) -> list[str]:
    return keys(out, **{"weights": "random", **changes})[1:]


def test_passes_are_keyed_by_what_is_before_them(tmp_path: Path) -> None:
    first = passes(tmp_path / "a", counted=3, again=2)
    other = passes(tmp_path / "b", counted=3, again=1)
    assert (first[0], len(first)) == (other[0], 2)
    assert first[1] != other[1]
    assert not {*first} & {*passes(tmp_path / "c", counted=4, again=2)}
    turned = passes(tmp_path / "d", counted=3, again=2, steps=["again", "counted"])
    assert not {*first} & {*turned}
    assert not {*first} & {*passes(tmp_path / "e", counted=3, again=2, seed=1)}


def test_samples_that_a_pass_looks_at_are_of_its_key(tmp_path: Path) -> None:
    def key(out: str, looks_at: int, train: Any) -> str:
        counted = {"digits": 3, "looks_at": looks_at}
        return passes(tmp_path / out, data=task(train=train), counted=counted, epochs=0)[0]

    inputs, labels = rows(0)
    seen = int(np.random.default_rng(0).permutation(24)[0])
    unseen = inputs.copy()
    unseen[[i for i in range(24) if i != seen]] += 1
    changed = inputs.copy()
    changed[seen] += 1
    assert key("a", 0, (inputs, labels)) == key("b", 0, OTHER)
    assert key("c", 1, (inputs, labels)) == key("d", 1, (unseen, labels))
    assert key("e", 1, (inputs, labels)) != key("f", 1, (changed, labels))


def test_what_a_training_is_given_is_of_its_key(tmp_path: Path) -> None:
    first = passes(tmp_path / "a", training=3)
    assert passes(tmp_path / "b", training=3) == first
    assert passes(tmp_path / "c", training=3, epochs=2) != first
    assert passes(tmp_path / "d", training=3, epochs=0) != first
    assert passes(tmp_path / "e", training=3, data=task(train=OTHER)) != first


def test_how_a_file_is_written_is_of_the_key_of_what_needs_it(tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "plain": {}, "coder": {"coder": "best"}, "name": {"network": subject(name="longer")},
        "form": {"onnx": {"opset": 21}},
    }  # fmt: skip
    sized = [passes(tmp_path / f"{name}-sized", sized=3, **c)[0] for name, c in changes.items()]
    bare = [passes(tmp_path / f"{name}-bare", counted=3, **c)[0] for name, c in changes.items()]
    assert (len({*sized}), len({*bare})) == (4, 1)


def state(held: Course) -> bytes:
    held.catch_up()
    return held.working.state()


def test_what_is_kept_is_not_done_again_and_leaves_the_same(tmp_path: Path) -> None:
    settings = recipe(counted=2, again=1)
    with courses.course(tmp_path / "a", settings, subject(), task()) as held:
        first = state(held)
    assert courses.runs == [2, 1]
    with courses.course(tmp_path / "b", settings, subject(), task()) as held:
        assert state(held) == first
    assert courses.runs == [2, 1]
    with courses.course(tmp_path / "c", recipe(counted=2, again=0), subject(), task()) as held:
        assert state(held) != first
    assert courses.runs == [2, 1, 0]


def test_what_is_evicted_in_the_middle_is_not_missed(tmp_path: Path) -> None:
    settings = recipe(counted=2, again=1)
    with courses.course(tmp_path / "a", settings, subject(), task()) as held:
        first, middle = state(held), asked(held)[-2]
    for path in held.cache.folder.glob(f"{middle}.*"):
        path.unlink()
    with courses.course(tmp_path / "b", settings, subject(), task()) as held:
        assert state(held) == first
    assert courses.runs == [2, 1, 2]

"""A small run without its last stages, and a pass that counts how often it is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import nn

from compress.passes import table
from compress.passes.chosen import all_of
from compress.passes.context import Context, Layer, Passed
from compress.passes.network import Network
from compress.passes.table import Pass
from compress.pipeline import opening, outcome
from compress.pipeline.cache import Cache, Entry
from compress.pipeline.course import Course
from compress.pipeline.dense import dense
from compress.pipeline.folder import Begun, Folder
from compress.pipeline.notify import Silent
from compress.pipeline.passing import carry_out
from compress.pipeline.work import Work
from compress.recipe import Recipe, from_mapping
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Arrays, Task
from compress.training.settings import TrainSettings

runs: list[int] = []  #: the settings of each run of the pass, `clear` it


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSettings:
    """Digits that weights are rounded to."""

    digits: Annotated[int, Meta(ge=0, description="behind the point")]
    looks_at: Annotated[int, Meta(ge=0, description="samples that are looked at")] = 0
    train: Annotated[TrainSettings | None, Meta(description="training of the pass")] = None


def counted(network: Network, settings: CountedSettings, context: Context) -> Passed:
    """Round weights, and count."""
    runs.append(settings.digits)
    if context.fit is not None:
        context.fit(None)
    weights, skipped = all_of(network)
    for weight in weights:
        weight.set_values(np.round(weight.values(), settings.digits))
    layers = (Layer(w.name, w.kind, w.shape, w.values().size, 0) for w in weights)
    return Passed(layers=tuple(layers), skipped=tuple(skipped))


def row(name: str = "counted", **changes: Any) -> Pass:
    """Return a row for the pass that counts."""
    facts: dict[str, Any] = {
        "settings": CountedSettings, "run": f"{__name__}:counted", "short": "digits",
        "parse": int, "metavar": "N",
    }  # fmt: skip
    return Pass(name=name, **(facts | changes))


class Net(nn.Module):
    """A network whose activation is in its code alone."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(16, 8), nn.Dropout(rate), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        held: torch.Tensor = self.last(self.drop(torch.relu(self.first(x))))
        return held


def subject(make: type[nn.Module] = Net, *facts: Any, name: str = "net") -> Subject:
    """Return a network of 16 numbers and two classes."""
    return Subject(
        name=name, source=Torch(build=lambda _: make(*facts)), inputs=(Given("x", (16,)),)
    )


def rows(seed: int, count: int = 24) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return inputs and labels, which do not follow from the seed."""
    drawn = np.random.default_rng(seed)
    return drawn.standard_normal((count, 16)).astype(np.float32), np.arange(count) % 2


def task(**changes: Any) -> Task:
    """Return a task of two classes."""
    parts = {"train": rows(0), "validation": rows(1), "test": rows(2), "classes": ("cat", "dog")}
    return Arrays(**(parts | changes))


def recipe(**changes: Any) -> Recipe:
    """Return a recipe on it, of a dense network that is trained for an epoch."""
    plain: dict[str, Any] = {"model": "net", "task": "arrays", "dense": {"epochs": 1}, "epochs": 1}
    return from_mapping(plain | changes)


class Asked(Cache):
    """A cache that tells the keys that it was asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.keys: list[str] = []

    def find(self, key: str) -> Entry | None:
        """Return what is kept under a key."""
        self.keys.append(key)
        return super().find(key)


@contextmanager
def course(
    out: Path, recipe: Recipe, subject: Subject, task: Task | None = None
) -> Iterator[Course]:
    """Carry out a run as far as its last pass."""
    opened = opening.open_run(recipe, subject, task, None)
    begun = Begun(subject.name, recipe, None, None, outcome.versions())
    with (
        closing(Work(out)) as work,
        closing(Folder(out, work, begun)) as folder,
        closing(opened.working),
    ):
        folder.enter(resume=False, force=True)
        held = Course(
            recipe=recipe, subject=subject, opened=opened, folder=folder, notify=Silent(),
            cache=Asked(),
        )  # fmt: skip
        dense(held)
        for one in recipe.rows:
            carry_out(held, one)
        yield held


def with_rows(monkeypatch: Any, *more: Pass) -> None:
    """Append rows to the table of passes for a test."""
    monkeypatch.setattr(table, "PASSES", (*table.PASSES, *more))
    runs.clear()

"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from compress.training.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a stage is about to train."""

    what: str  #: of the network: "resnet20", "the centroids of resnet20"
    epochs: int  #: at most
    samples: int  #: of the training part
    shorten: str  #: how to train for less, in words


class Notify(Protocol):
    """What a run tells; any of it may be ignored."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Enter and leave a stage."""

    def training(self, begins: Training) -> None:
        """Tell of a training before its first step; steps are its own from here on."""

    def step(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Tell the progress within a stage."""

    def note(self, words: str, *, often: bool = False) -> None:
        """Tell what a stage that trains nothing is at; what comes often may be left out."""


class Silent:
    """Nobody is told."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def training(self, begins: Training) -> None:
        """Do nothing."""

    def step(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Do nothing."""

    def note(self, words: str, *, often: bool = False) -> None:
        """Do nothing."""


def told(stage: str, model: str, settings: TrainSettings, samples: int) -> Training:
    """Return what there is to tell of a stage's training."""
    if stage == "dense":
        what, shorten = model, "for fewer: dense: {epochs: N} in a recipe"
    else:
        what, shorten = f"{model}, stage {stage}", "for fewer: --epochs N"
    return Training(what=what, epochs=settings.epochs, samples=samples, shorten=shorten)

"""Settings of one training. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from compress.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a network is trained or fine-tuned."""

    epochs: Annotated[int, Doc("passes over the training part, at least 1")]
    batch: Annotated[int, Doc("samples a step, over all processes together, at least 1")] = 256
    optimizer: Annotated[Literal["sgd", "adam", "adamw"], Doc("sgd has Nesterov momentum")] = "sgd"
    lr: Annotated[float, Doc("learning rate at its highest, above 0")] = 0.1
    momentum: Annotated[float, Doc("of sgd; the first beta of adam and adamw; in [0, 1)")] = 0.9
    weight_decay: Annotated[float, Doc("L2 penalty (decoupled for adamw), at least 0")] = 5e-4
    schedule: Annotated[Literal["cosine", "constant"], Doc("learning rate after the warm-up")] = (
        "cosine"
    )
    warmup_epochs: Annotated[float, Doc("linear rise of the learning rate, in [0, epochs]")] = 0.0
    label_smoothing: Annotated[
        float, Doc("share of the target spread over all classes, in [0, 1)")
    ] = 0.0
    augment: Annotated[float, Doc("strength: factor on the task's augmentation, 0 is off")] = 0.0
    patience: Annotated[
        int | None, Doc("stop after so many epochs without a better validation accuracy")
    ] = None

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        require(self.batch >= 1, "batch", "at least 1", self.batch)
        require(0 < self.lr < float("inf"), "lr", "above 0", self.lr)
        require(0 <= self.momentum < 1, "momentum", "in [0, 1)", self.momentum)
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        rises = 0 <= self.warmup_epochs <= self.epochs
        require(rises, "warmup_epochs", f"in [0, {self.epochs}]", self.warmup_epochs)
        smooth = self.label_smoothing
        require(0 <= smooth < 1, "label_smoothing", "in [0, 1)", smooth)
        require(0 <= self.augment <= 10, "augment", "in [0, 10]", self.augment)
        waits = self.patience is None or self.patience >= 1
        require(waits, "patience", "at least 1, or none", self.patience)

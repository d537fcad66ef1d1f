"""Settings of one training. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compress.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a network is trained or fine-tuned."""

    epochs: int  #: passes over the training part, at least 1
    batch: int = 256  #: samples a step, over all processes together, at least 1
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"  #: sgd has Nesterov momentum
    lr: float = 0.1  #: learning rate at its highest, above 0
    momentum: float = 0.9  #: of sgd; the first beta of adam and adamw; in [0, 1)
    weight_decay: float = 5e-4  #: L2 penalty (decoupled for adamw), at least 0
    schedule: Literal["cosine", "constant"] = "cosine"  #: learning rate after the warm-up
    warmup_epochs: float = 0.0  #: linear rise of the learning rate, in [0, epochs]
    label_smoothing: float = 0.0  #: share of the target spread over all classes, in [0, 1)
    augment: float = 0.0  #: strength: factor on the task's augmentation, 0 is off
    patience: int | None = None  #: stop after so many epochs without a better validation accuracy

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

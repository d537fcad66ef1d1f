"""Settings of one training. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from compress import settings
from compress.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a network is trained or fine-tuned."""

    epochs: Annotated[int, Meta(ge=1, description="passes over the training part")]
    batch: Annotated[int, Meta(ge=1, description="samples a step, over all processes together")] = (
        256
    )
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw"], Meta(description="sgd has Nesterov momentum")
    ] = "sgd"
    lr: Annotated[float, Meta(gt=0, description="learning rate at its highest")] = 0.1
    momentum: Annotated[
        float, Meta(ge=0, lt=1, description="of sgd; the first beta of adam and adamw")
    ] = 0.9
    weight_decay: Annotated[float, Meta(ge=0, description="L2 penalty, decoupled for adamw")] = 5e-4
    schedule: Annotated[
        Literal["cosine", "constant"], Meta(description="learning rate after the warm-up")
    ] = "cosine"
    warmup_epochs: Annotated[
        float, Meta(ge=0, description="linear rise of the learning rate, at most all epochs")
    ] = 0.0
    label_smoothing: Annotated[
        float, Meta(ge=0, lt=1, description="share of the target spread over all classes")
    ] = 0.0
    augment: Annotated[
        float,
        Meta(ge=0, le=10, description="factor on the task's augmentation, 0 is off"),
    ] = 0.0
    patience: Annotated[
        int | None,
        Meta(description="stop after so many epochs without a better metric on validation"),
    ] = None

    def __post_init__(self) -> None:
        settings.check(self)
        require(self.lr < float("inf"), "lr", "finite", self.lr)
        rises = self.warmup_epochs <= self.epochs
        require(rises, "warmup_epochs", f"at most {self.epochs}, all epochs", self.warmup_epochs)
        waits = self.patience is None or self.patience >= 1
        require(waits, "patience", "at least 1, or none", self.patience)

"""Settings of the passes. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from compress.errors import require
from compress.passes.targets import Targets, require_bits, require_sparsities

Scope = Literal["lamp", "global", "uniform"]
Importance = Literal["none", "layer", "weight"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSettings:
    """Magnitude pruning of weights."""

    sparsity: Annotated[
        Targets[float], Doc("zeros / weights, in [0, 1): one number, or by layer or kind")
    ]
    scope: Annotated[
        Scope,
        Doc(
            "how one plain number is spread over its layers: by LAMP scores, by magnitude over "
            "all, or the same in each; a number given to a layer or kind holds for each of its "
            "layers"
        ),
    ] = "lamp"
    schedule: Annotated[Literal["one-shot", "gradual"], Doc("before fine-tuning, or during it")] = (
        "gradual"
    )
    begin: Annotated[
        float, Doc("gradual: where pruning begins, fraction of the training steps, in [0, 1)")
    ] = 0.0
    end: Annotated[float, Doc("gradual: where the sparsity is reached, in (begin, 1]")] = 0.5
    interval: Annotated[int, Doc("gradual: training steps from one pruning to the next")] = 100

    def __post_init__(self) -> None:
        require_sparsities(self.sparsity)
        require(0 <= self.begin < 1, "begin", "in [0, 1)", self.begin)
        require(self.begin < self.end <= 1, "end", f"in ({self.begin}, 1]", self.end)
        require(self.interval >= 1, "interval", "positive", self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """k-means weight sharing."""

    bits: Annotated[
        Targets[int], Doc("bits of a code, in [1, 16]: one number, or by layer or kind")
    ]
    init: Annotated[
        Literal["linear", "density", "random"],
        Doc("where the centroids start; linear is the paper's choice, sec. 3.2"),
    ] = "linear"

    def __post_init__(self) -> None:
        require_bits(self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """Weight sharing after training, with the bits of each layer chosen for a size of the file."""

    target_bytes: Annotated[int, Doc("what the file that ships may take on disk, all included")]
    max_bits: Annotated[int, Doc("of a code, in [2, 14]")] = 8
    importance: Annotated[
        Importance,
        Doc(
            "what a squared error counts: the same in all weights, or the Fisher information, in "
            "a layer's mean or weight by weight; it needs samples to train on"
        ),
    ] = "none"
    samples: Annotated[int, Doc("training samples that the Fisher information is taken from")] = 200
    compensated: Annotated[
        int,
        Doc(
            "training samples on whose inputs to a layer the errors of its weights are made to "
            "cancel, 0 to choose each code alone"
        ),
    ] = 200
    corrected: Annotated[
        int,
        Doc(
            "training samples whose channel means are kept by moving biases, 0 to leave biases "
            "alone"
        ),
    ] = 200

    def __post_init__(self) -> None:
        require(self.target_bytes > 0, "target_bytes", "above 0", self.target_bytes)
        require(2 <= self.max_bits <= 14, "max_bits", "in [2, 14]", self.max_bits)
        require(self.samples > 0, "samples", "above 0", self.samples)
        require(self.compensated >= 0, "compensated", "0 or more", self.compensated)
        require(self.corrected >= 0, "corrected", "0 or more", self.corrected)

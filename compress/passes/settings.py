"""Settings of the passes. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from compress import settings
from compress.errors import require
from compress.passes.targets import Sparsity, Targets, require_bits, require_sparsities
from compress.training.settings import TrainSettings

Scope = Literal["lamp", "global", "uniform"]
Importance = Literal["none", "layer", "weight"]

DENSE = "dense"  #: the teacher that the network itself was
JUDGES = 400  #: samples that bits `auto` are judged on, beside every fifth of those that are used

_Samples = Annotated[
    int,
    Meta(
        ge=0,
        description="samples on which the errors of a layer's weights are made to cancel, and "
        "whose channel means are kept by moving biases; 0 to choose each code alone",
    ),
]
#: What usually happens at so few bits when nothing makes up for it.
_EXPECTED = (
    (2, "the network is usually lost"),
    (4, "most of what it knows is usually lost"),
    (5, "small networks usually lose tens of points"),
    (6, "small networks usually lose some points"),
)
_TRAIN = "training that follows, or goes with it; else the task's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """Network that teaches all trainings: REF, or dense, what the run began with."""

    teacher: Annotated[
        str,
        Meta(
            description="a network as model names one, on the same task, or dense: the network "
            "itself before it was compressed"
        ),
    ]
    weights: Annotated[
        str | None, Meta(description="of the teacher, as weights names them; not of dense")
    ] = None
    share: Annotated[
        float, Meta(ge=0, le=1, description="of the teacher's answers in the loss")
    ] = 0.5
    temperature: Annotated[
        float, Meta(gt=0, description="that scores of classes are divided by")
    ] = 4.0
    layers: Annotated[
        int | None,
        Meta(
            description="layers that a student keeps of a chain of them, such as a transformer's "
            "blocks, evenly spaced; by default all"
        ),
    ] = None
    train: Annotated[
        TrainSettings | None,
        Meta(description="training of the student before other passes; else as pruning has it"),
    ] = None

    def __post_init__(self) -> None:
        settings.check(self)
        require(bool(self.teacher.strip()), "teacher", f"a network's name, or {DENSE}", "nothing")
        own = self.weights is None or not self.is_dense
        require(own, "weights", f"left out where the teacher is {DENSE}", self.weights)
        some = self.layers is None or self.layers >= 1
        require(some, "layers", "at least 1, or left out", self.layers)

    @property
    def is_dense(self) -> bool:
        """Whether the network that the run begins with is the teacher."""
        return self.teacher == DENSE


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredSettings:
    """Share of the MACs to take out with whole channels: 0.5 leaves half of them."""

    macs_removed: Annotated[
        float, Meta(gt=0, lt=1, description="MACs that go / MACs of the dense network, at least")
    ]
    importance: Annotated[
        Literal["magnitude", "bn"],
        Meta(
            description="what a channel counts: the squares of all weights that go with it, or "
            "the scales of its BatchNorms"
        ),
    ] = "magnitude"
    scope: Annotated[
        Literal["global", "uniform"],
        Meta(description="channels that count least over all layers, or as many of each"),
    ] = "global"
    round_to: Annotated[
        int, Meta(ge=1, description="what the channels that a layer keeps are a multiple of")
    ] = 8
    train: Annotated[TrainSettings | None, Meta(description=_TRAIN)] = None

    def __post_init__(self) -> None:
        settings.check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSettings:
    """Part of the weights to set to zero: 0.9, by kind conv=0.6,fc=0.92, or all but N of M: 2:4."""

    sparsity: Annotated[
        Targets[Sparsity],
        Meta(
            description="zeros / weights, in [0, 1), or N:M, of which each M inputs of a linear "
            "layer or convolution keep N: one value, or by layer or kind; zeros of 2:4 are faster "
            "only on NVIDIA GPUs with sparse tensor cores, where the engine takes sparse kernels"
        ),
    ]
    scope: Annotated[
        Scope,
        Meta(
            description="how one plain number is spread over its layers: by LAMP scores, by "
            "magnitude over all, or the same in each; a number given to a layer or kind holds for "
            "each of its layers"
        ),
    ] = "lamp"
    schedule: Annotated[
        Literal["one-shot", "gradual"], Meta(description="before fine-tuning, or during it")
    ] = "gradual"
    begin: Annotated[
        float,
        Meta(ge=0, lt=1, description="gradual: where it begins, fraction of the training steps"),
    ] = 0.0
    end: Annotated[
        float,
        Meta(gt=0, le=1, description="gradual: where the sparsity is reached, above begin"),
    ] = 0.5
    interval: Annotated[
        int, Meta(ge=1, description="gradual: training steps from one pruning to the next")
    ] = 100
    samples: Annotated[
        int,
        Meta(
            ge=0,
            description="without training: samples on which what is left of a layer makes up for "
            "what is pruned, and whose channel means are kept by moving biases; 0 for neither",
        ),
    ] = 200
    train: Annotated[TrainSettings | None, Meta(description=_TRAIN)] = None

    def __post_init__(self) -> None:
        settings.check(self)
        require_sparsities(self.sparsity)
        require(self.begin < self.end, "end", f"above begin, {self.begin}", self.end)

    @property
    def looks_at(self) -> int:
        """Samples that are looked at where nothing is trained, those that judge among them."""
        return _in_all(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeSettings:
    """Bits a weight that values are shared at: 5, or by kind conv=8,fc=5; or auto."""

    bits: Annotated[
        Targets[int] | Literal["auto"],
        Meta(
            description="bits of a code, in [1, 16]: one number, or by layer or kind; auto takes "
            "the fewest bytes that keep the metric"
        ),
    ]
    init: Annotated[
        Literal["linear", "density", "random"],
        Meta(description="where the centroids start; linear is the paper's choice, sec. 3.2"),
    ] = "linear"
    samples: _Samples = 200
    max_drop: Annotated[
        float, Meta(ge=0, description="auto: points of the metric that may be lost")
    ] = 1.0
    train: Annotated[
        TrainSettings | None, Meta(description="training of the centroids; else the task's own")
    ] = None

    def __post_init__(self) -> None:
        settings.check(self)
        if self.bits != "auto":
            require_bits(self.bits)

    @property
    def looks_at(self) -> int:
        """Samples that are looked at, those that judge among them."""
        return _in_all(self.samples) + (JUDGES if self.is_bounded else 0)

    @property
    def expects(self) -> str | None:
        """What usually happens where nothing makes up for few bits; None for bits enough."""
        if self.bits == "auto":
            return None
        fewest = min(value for _, value in self.bits.entries)
        expected = next((text for most, text in _EXPECTED if fewest <= most), None)
        bits = f"{fewest} bit{'s' * (fewest > 1)}"
        return expected and f"at {bits} {expected}"

    @property
    def is_bounded(self) -> bool:
        """Whether `max_drop` counts."""
        return self.bits == "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetBytesSettings:
    """Size of the file, such as 2000000, 2MB or 1.9MiB: each layer's bits are chosen for it."""

    target_bytes: Annotated[
        int, Meta(gt=0, description="what the file that ships may take on disk, all included")
    ]
    max_bits: Annotated[int, Meta(ge=2, le=14, description="of a code")] = 8
    importance: Annotated[
        Importance,
        Meta(
            description="what a squared error counts: the same in all weights, or the Fisher "
            "information, in a layer's mean or weight by weight; it needs torch and real samples"
        ),
    ] = "none"
    samples: _Samples = 200

    def __post_init__(self) -> None:
        settings.check(self)

    @property
    def looks_at(self) -> int:
        """Samples that are looked at, those that judge among them."""
        return _in_all(self.samples)


def _in_all(used: int) -> int:
    from compress.passes.apart import in_all  # which loads numpy, and help does not

    return in_all(used)

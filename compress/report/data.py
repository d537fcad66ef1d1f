"""What `report.json` holds: the facts of one run, from which page and table are drawn.

Every record checks what its numbers owe to each other. Ratios are properties; the JSON carries
them for readers, and reading it computes them anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, FormatError
from compress.report.verdict import to_mapping, verdict

MAX_BINS = 61  # odd, so that a symmetric histogram has a middle
MAX_HISTOGRAMS = 24  # the largest layers: more do not fit a page that is read
DENSE = "dense"  # the step that all others are compared with: the fp32 state dict
FILE = "file"  # the step that names the file on disk where no stage has its size

_CHUNK = 1 << 20  # values looked at together: 4 MiB, so that a large layer is never copied whole

Count = Annotated[int, msgspec.Meta(ge=0)]
Magnitude = Annotated[float, msgspec.Meta(ge=0)]
Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where the bytes of the file are; the kinds sum to the file on disk."""

    codes: Count  #: bytes of the coded indices into codebooks
    gaps: Count  #: bytes of the positions of nonzero weights: gaps or bit masks
    codebooks: Count  #: bytes of the centroids
    tables: Count  #: bytes of what a decoder needs to read the codes: codeword lengths
    dense: Count  #: bytes of the tensors that are kept value by value
    graph: Count  #: bytes of the ONNX graph without its weights
    header: Count  #: bytes of the container: names, shapes, metadata, digest
    files: Count = 0  #: bytes of the files that go with the model: a tokenizer

    @property
    def kinds(self) -> dict[str, int]:
        """Return the bytes of each kind, in the order of the fields."""
        return asdict(self)

    @property
    def total(self) -> int:
        """Return the sum of all kinds, in bytes."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAccuracy:
    """The metric on one part of the data after one step."""

    stage: str  #: name of the step
    part: Part  #: part of the data
    value: float  #: the metric

    def __post_init__(self) -> None:
        _check(math.isfinite(self.value), "value", "finite", self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The metric before and after, or the reason why there is none."""

    metric: str  #: name of the metric
    dense: float | None  #: of the dense network
    compressed: float | None  #: of the file that ships
    reason: str | None = None  #: why one of the two is missing; None where both are there
    part: Part | None = None  #: part of the data that gave the two figures
    n: Count | None = None  #: samples in that part
    steps: tuple[StepAccuracy, ...] = ()  #: in the order of the run
    is_fraction: bool = True  #: told in percent
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        for name, value in ((DENSE, self.dense), ("compressed", self.compressed)):
            _check(value is None or math.isfinite(value), name, "finite", value)
        known = self.dense is not None and self.compressed is not None
        _check(known is (self.reason is None), "reason", "given where a figure is not", self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """The largest differences of ONNX Runtime's outputs from torch's, of the worst output."""

    max_abs: Magnitude  #: in the unit of the outputs
    max_rel: Magnitude  #: relative to the largest magnitude of torch's outputs
    tolerance: Magnitude = 1e-3  #: what `max_rel` may be

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _check(math.isfinite(value) and value >= 0, name, "finite and at least 0", value)

    @property
    def within(self) -> bool:
        """Tell whether the outputs agree."""
        return self.max_rel <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the run."""

    name: str  #: what `sizes` and `accuracy.steps` call it too
    seconds: Magnitude  #: wall clock
    peak_rss_bytes: Count  #: the process's largest resident memory up to the stage's end
    size_bytes: Count | None = None  #: the file's size, had it been packed after this stage
    notes: tuple[str, ...] = ()  #: what was left out of what was asked for, and why
    figures: Mapping[str, Any] = field(default_factory=dict)  #: what a pass tells of itself

    def __post_init__(self) -> None:
        finite = math.isfinite(self.seconds) and self.seconds >= 0
        _check(finite, "seconds", "finite and at least 0", self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One weight tensor in the file."""

    name: str  #: name of the parameter
    kind: str  #: conv, fc, embedding, rnn, or other for what passes leave alone
    shape: tuple[Count, ...]  #: of the weight
    weights: Count  #: how many there are
    nonzero: Count  #: how many are not zero
    distinct: Count  #: different values among the nonzero ones
    bytes: Count  #: in the file, its codebook and tables included
    pattern: str | None = None  #: N:M, found in the exported graph where a pass gave it
    skipped: str | None = None  #: why the passes left it alone; None where they did not
    note: str | None = None  #: what the passes could not do for it, though for others

    def __post_init__(self) -> None:
        for name, value in (("nonzero", self.nonzero), ("distinct", self.distinct)):
            _check(0 <= value <= self.weights, name, f"in [0, {self.weights}]", value)

    @property
    def bits_per_weight(self) -> float:
        """Return 8 x bytes / weights; zeros count as weights."""
        return 8 * self.bytes / self.weights if self.weights else 0.0

    @property
    def density(self) -> float:
        """Return nonzero / weights."""
        return self.nonzero / self.weights if self.weights else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of the nonzero values in bins of one width; zeros are counted apart."""

    lo: float  #: left edge of the first bin: the smallest nonzero value
    hi: float  #: right edge of the last bin: the largest nonzero value
    counts: tuple[Count, ...]  #: at most `MAX_BINS`; empty where all values are zero
    zeros: Count  #: values that are exactly zero

    def __post_init__(self) -> None:
        ordered = math.isfinite(self.hi - self.lo) and self.lo <= self.hi
        _check(ordered, "lo, hi", "finite and in order", (self.lo, self.hi))
        _check(len(self.counts) <= MAX_BINS, "counts", f"at most {MAX_BINS}", len(self.counts))

    @property
    def nonzero(self) -> int:
        """Return how many values were not zero."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerHistograms:
    """The weights of one layer before and after compression."""

    name: str  #: name of the layer, as in `layers`
    before: Histogram  #: of the dense weights
    after: Histogram  #: of the weights in the file
    centroids: tuple[float, ...] = ()  #: the codebook; empty where weights are not shared

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, self.centroids))
        _check(finite, "centroids", "finite", self.centroids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a run leaves to say about itself."""

    model: str  #: the zoo's name, or a file's
    task: str | None  #: where the data came from; None for a run without data
    seed: int  #: of every random step
    recipe: Mapping[str, object]  #: the settings, as JSON's types
    versions: Mapping[str, str]  #: of the packages that did the work
    device: str  #: what the run computed on
    params: Count  #: parameters of the dense network; tied ones count once
    dense_bytes: Count  #: fp32 state dict
    artifact_bytes: Count  #: the file on disk, graph and header included
    paper_bytes: Count  #: weights only, counted as Deep Compression's tables do
    ledger: Ledger  #: bytes by kind; they sum to `artifact_bytes`
    accuracy: Accuracy  #: the metric before and after, and by step
    parity: Parity  #: of the exported network with torch's
    stages: tuple[Stage, ...]  #: in the order of the run
    layers: tuple[Layer, ...]  #: in the order of the network
    histograms: tuple[LayerHistograms, ...] = ()  #: of the largest layers, `MAX_HISTOGRAMS` at most
    #: what was used where the recipe says nothing: the source of the weights, settings of trainings
    used: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  #: SHA-256 of each result, by its name

    def __post_init__(self) -> None:
        total, size = self.ledger.total, self.artifact_bytes
        _check(total == size, "ledger", f"a sum of artifact_bytes, {size}", total)
        for name, value in (("artifact_bytes", size), ("paper_bytes", self.paper_bytes)):
            _check(value > 0, name, "positive", value)
        drawn = len(self.histograms)
        _check(drawn <= MAX_HISTOGRAMS, "histograms", f"at most {MAX_HISTOGRAMS}", drawn)

    @property
    def ratio(self) -> float:
        """Return dense_bytes / artifact_bytes: everything counts."""
        return self.dense_bytes / self.artifact_bytes

    @property
    def paper_ratio(self) -> float:
        """Return the fp32 bytes of the parameters / paper_bytes: weights only, on both sides."""
        return 4 * self.params / self.paper_bytes

    @property
    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Return (step, bytes) from the fp32 state dict to the file on disk."""
        known = [
            (stage.name, stage.size_bytes)
            for stage in self.stages
            if stage.size_bytes is not None and stage.name != DENSE
        ]
        if not known or known[-1][1] != self.artifact_bytes:
            known.append((FILE, self.artifact_bytes))
        return ((DENSE, self.dense_bytes), *known)

    def to_json(self) -> str:
        """Return the report as JSON: the fields in their order, each ratio where it belongs."""
        return json.dumps(_document(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read a report; raise `FormatError` where the text is none."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise FormatError(f"report: {error}") from error


def histogram(values: NDArray[np.float32]) -> Histogram:
    """Count values of any shape in at most `MAX_BINS` bins.

    Raises:
        DataError: where a value is not finite.

    >>> histogram(np.array([[-1, 0, 0], [0.5, 1, 1]], np.float32)).zeros
    2
    """
    flat = np.ravel(values)
    chunks = [flat[start : start + _CHUNK] for start in range(0, flat.size, _CHUNK)]
    lo, hi, zeros = math.inf, -math.inf, 0
    for chunk in chunks:
        nonzero = chunk[chunk != 0]
        zeros += chunk.size - nonzero.size
        if nonzero.size:
            least, most = float(nonzero.min()), float(nonzero.max())
            if not (math.isfinite(least) and math.isfinite(most)):
                raise DataError(f"weights must be finite to be counted, got {least} to {most}")
            lo, hi = min(lo, least), max(hi, most)
    if zeros == flat.size:
        return Histogram(lo=0.0, hi=0.0, counts=(), zeros=zeros)
    if lo == hi:
        return Histogram(lo=lo, hi=hi, counts=(flat.size - zeros,), zeros=zeros)
    counts = np.zeros(MAX_BINS, np.int64)
    for chunk in chunks:
        nonzero = chunk[chunk != 0]
        counts += np.histogram(nonzero.astype(np.float64), MAX_BINS, (lo, hi))[0]
    return Histogram(lo=lo, hi=hi, counts=tuple(counts.tolist()), zeros=zeros)


def _document(report: Report) -> dict[str, object]:
    document = {
        field.name: msgspec.to_builtins(getattr(report, field.name)) for field in fields(report)
    }
    document["layers"] = [
        _inserted(asdict(layer), "distinct", "bits_per_weight", layer.bits_per_weight)
        for layer in report.layers
    ]
    document["parity"] = asdict(report.parity) | {"within": report.parity.within}
    sizes = [{"step": step, "bytes": size} for step, size in report.sizes]
    document = _inserted(document, "artifact_bytes", "ratio", report.ratio)
    document = _inserted(document, "paper_bytes", "paper_ratio", report.paper_ratio)
    document = _inserted(document, "accuracy", "verdict", to_mapping(verdict(report)))
    return _inserted(document, "stages", "sizes", sizes)


def _inserted(record: dict[str, object], after: str, name: str, value: object) -> dict[str, object]:
    pairs = list(record.items())
    place = list(record).index(after) + 1
    return dict([*pairs[:place], (name, value), *pairs[place:]])


def _check(ok: bool, name: str, condition: str, got: object) -> None:
    """Raise `FormatError` unless `ok`: a report that contradicts itself is not written."""
    if not ok:
        raise FormatError(f"report: {name} must be {condition}, got {got!r}")

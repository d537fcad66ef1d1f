"""What a run opens before its first stage: the network, its data, its samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compress.errors import DataError
from compress.passes.chosen import addressed
from compress.passes.targets import Targets
from compress.pipeline import data as parts
from compress.pipeline import weights
from compress.pipeline.data import Data, Drawn, MadeUp, OfTask, Sampler
from compress.pipeline.weights import Source
from compress.pipeline.working import Working
from compress.recipe import Recipe
from compress.references.subject import Onnx, Subject
from compress.tasks import Task
from compress.tasks import calibration as calibrations
from compress.tasks.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What all stages work with."""

    source: Source  #: of the dense weights
    working: Working
    data: Data | None
    sampler: Sampler | None  #: None where weights are random: nothing is kept by what is seen
    samples_from: str  #: where samples without labels are from, in words
    device: str


def open_run(
    recipe: Recipe, subject: Subject, task: Task | None, calibration: Calibration | None
) -> Opened:
    """Open the network with its random weights, the task's parts and the samples.

    Raises:
        CompressError: when a name, a file or a setting does not fit, in one line.
    """
    source = weights.source_of(recipe, subject, task)
    preprocessing = weights.preprocessing_of(source, subject)
    data = parts.load(task, subject, preprocessing)
    if source == "trained" and data is not None and data.train is None:
        raise DataError(
            f"task {data.task.name} has no training part to train {subject.name} on; "
            "use --weights pretrained|random|FILE"
        )
    takes = parts.takes_of(subject, preprocessing)
    seed = recipe.seed
    if calibration is None and recipe.calibration is not None:
        calibration = calibrations.load(
            Path(recipe.calibration), takes, data.task if data is not None else None
        )
    working, device = _working(recipe, subject, data)
    sampler: Sampler | None
    if calibration is not None:
        sampler, told = Drawn(calibration, seed), recipe.calibration or "calibration"
    elif data is not None and data.train is not None:
        part = OfTask(working.unpadded(data.train))
        sampler, told = Drawn(part, seed), f"training part of {data.task.name}"
    elif source == "random":
        sampler, told = None, "none"
    else:
        told_preprocessing = data.facts.get("preprocessing") if data is not None else preprocessing
        sampler, told = MadeUp(parts.takes_of(subject, told_preprocessing), seed), "made up"
    _check_targets(recipe, working)
    return Opened(
        source=source, working=working, data=data, sampler=sampler, samples_from=told, device=device
    )


def _working(recipe: Recipe, subject: Subject, data: Data | None) -> tuple[Working, str]:
    """Open the network, and tell what it is trained on."""
    if isinstance(subject.source, Onnx):
        from compress.pipeline.onnx_working import OnnxWorking

        return OnnxWorking.open(subject, recipe, data), "cpu"
    from compress.pipeline.torch_working import TorchWorking

    made = TorchWorking.build(subject, recipe, data)
    return made, str(made.device)


def _check_targets(recipe: Recipe, working: Working) -> None:
    """Tell a name that no layer has before there is any training."""
    for row in recipe.rows:
        value = getattr(recipe.passes[row.name], row.short)
        if isinstance(value, Targets):
            addressed(working.network, value)

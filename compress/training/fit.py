"""The fit loop: dense networks, fine-tuning under masks, centroids. It runs on accelerate.

What is lost and what is better the task says. The same call works in one process and under
`torchrun`: each process takes its part of every global batch, gradients are averaged with the
parts' true weights, and the order and the augmentation do not depend on the number of processes.
BatchNorm uses the statistics of each process's part, and the first process's running statistics
are kept; dropout draws anew on each process. On a CPU the same call gives the same bits, resumed or
not.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from typing_extensions import assert_never

from compress.constrained import constraints_of
from compress.errors import DataError, MissingExtraError, SettingsError, require
from compress.measure.evaluate import whole
from compress.tasks import Samples, Task
from compress.tasks.metric import Figures
from compress.training import checkpoint, evaluate, schedule
from compress.training.data import Batches, Order, Values, answer, generator, permutation, shares
from compress.training.padding import unpadded
from compress.training.settings import TrainSettings
from compress.training.teacher import Teacher

if TYPE_CHECKING:
    from accelerate import Accelerator

OnStep = Callable[[int, int], None]
Progress = Callable[[int, int, Mapping[str, float]], None]

_PROGRESS_EVERY = 10  # steps: reading the loss waits for the device
_PROGRESS_SECONDS = 1.0  # after which a step is told, whatever its number
_ORDER, _AUGMENT, _NOISE = range(3)  # what is drawn in an epoch, each from its own seed


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a training did."""

    epochs: int  #: that were run
    losses: tuple[float, ...]  #: mean loss of each epoch
    #: the task's metric after each epoch, None where an output was not finite; empty without
    #: validation
    validation: tuple[float | None, ...]
    best_epoch: int  #: the one that was kept, counted from 0

    @property
    def best(self) -> float | None:
        """Metric of what was kept; None where it is not known."""
        return self.validation[self.best_epoch] if self.validation else None


def fit(
    model: nn.Module,
    settings: TrainSettings,
    *,
    task: Task,
    train: Samples,
    validation: Samples | None,
    seed: int,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    teacher: Teacher | None = None,
    on_step: OnStep | None = None,
    progress: Progress | None = None,
) -> FitReport:
    """Train a network in place; it keeps its constraints and ends in evaluation mode.

    The weights after the epoch with the best metric on the validation part are kept, the later
    one of two alike, and only of epochs since masks and codes last changed; without validation,
    the last.

    Args:
        model: takes what the samples give, and gives what the task's loss takes.
        settings: of the training.
        task: loss, metric and augmentation.
        train: part to train on; every sample comes once in an epoch.
        validation: part to choose the epoch by.
        seed: at least 0; order, augmentation and dropout follow from it.
        device: "cpu" or "cuda".
        checkpoint: file that is written after each epoch, and resumed from where it exists; a
            damaged one is told, and the training begins anew.
        teacher: whose answers are a part of the loss.
        on_step: called before each step with its number and the number of all steps; it may
            change masks and weights.
        progress: called now and then with the same numbers, counted from 1, and figures to show.

    Raises:
        SettingsError: when the settings do not fit the task, the data or the processes.
        DataError: when the checkpoint is of another training, or loss and metric do not fit the
            network's outputs.
    """
    require(seed >= 0, "seed", "at least 0", seed)
    smooths = settings.label_smoothing == 0 or task.smooths
    told = f"0, since the loss of task {task.name} takes none"
    require(smooths, "label_smoothing", told, settings.label_smoothing)
    accelerator = _accelerator(torch.device(device))
    model.to(accelerator.device)
    loop = _Loop(
        accelerator, model, settings, task, Batches(unpadded(train, model, task)),
        Batches(unpadded(validation, model, task)) if validation is not None else None, seed,
        teacher, on_step, progress,
    )  # fmt: skip
    identity = _identity(model, settings, task, seed, train, validation, teacher)
    with _undisturbed(accelerator.device), loop.prepared():
        history = loop.run(checkpoint, identity)
    return FitReport(
        epochs=len(history.losses),
        losses=tuple(history.losses),
        validation=tuple(history.validation),
        best_epoch=history.best_epoch if validation is not None else len(history.losses) - 1,
    )


class _Loop:
    """One training; arguments are checked by the caller."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        settings: TrainSettings,
        task: Task,
        train: Batches,
        validation: Batches | None,
        seed: int,
        teacher: Teacher | None,
        on_step: OnStep | None,
        progress: Progress | None,
    ) -> None:
        self.accelerator, self.model, self.settings = accelerator, model, settings
        self.task, self.train, self.validation, self.seed = task, train, validation, seed
        self.options = (
            {"label_smoothing": settings.label_smoothing} if settings.label_smoothing else {}
        )
        self.teacher, self.on_step, self.progress = teacher, on_step, progress
        if teacher is not None:
            teacher.to(accelerator.device)
        self.constraints = constraints_of(model)
        self.constraints.apply(model)
        self.optimizer = _optimizer(
            settings, [p for _, p in self.constraints.trained_parameters(model)]
        )
        processes = accelerator.num_processes
        self.shares = shares(len(train), settings.batch, processes)
        smallest = min(batch[-1].stop - batch[0].start for batch in self.shares)
        require(smallest >= processes, "batch", "one sample a process or more", settings.batch)
        self.steps = len(self.shares)
        self.told = time.monotonic()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Hold the model as accelerate wraps it; leave no trace of that on it."""
        self.wrapped, self.stepper = self.accelerator.prepare(self.model, self.optimizer)
        try:
            yield
        finally:
            del self.wrapped, self.stepper
            self.accelerator.free_memory()
            vars(self.model).pop("_is_accelerate_prepared", None)
            self.model.zero_grad(set_to_none=True)
            self.optimizer.zero_grad(set_to_none=True)
            self.model.eval()

    def run(self, path: Path | None, identity: str) -> checkpoint.History:
        """Train from the start or the checkpoint to the end; put the best epoch back."""
        history = None
        if path is not None:
            history = checkpoint.load(path, identity, self.model, self.optimizer)
        history = history or checkpoint.History()
        rates = schedule.learning_rate(
            self.optimizer,
            self.settings,
            steps_per_epoch=self.steps,
            step=len(history.losses) * self.steps,
        )
        if self.validation is not None and not history.losses:
            self._try(self.validation)
        while not self._ends(history):
            codes = self._discrete()
            epoch = len(history.losses)
            history.losses.append(self._epoch(epoch, rates.step))
            if self.validation is not None:
                self._judge(self.validation, history, codes)
            self._show(history)
            if path is not None:
                if self.accelerator.is_main_process:
                    checkpoint.save(path, identity, self.model, self.optimizer, history)
                self.accelerator.wait_for_everyone()
        if history.best:
            checkpoint.restore(self.model, history.best)
        return history

    def _ends(self, history: checkpoint.History) -> bool:
        done, patience = len(history.losses), self.settings.patience
        waited = done - 1 - history.best_epoch
        impatient = patience is not None and self.validation is not None and waited >= patience
        return done >= self.settings.epochs or (done > 0 and impatient)

    def _epoch(self, epoch: int, advance: Callable[[], None]) -> float:
        """Train one epoch and return its mean loss."""
        count, process = len(self.train), self.accelerator.process_index
        order = permutation(count, self.seed, epoch, _ORDER)
        drawn = generator(self.seed, epoch, _AUGMENT)
        change = self.task.augment(count, self.settings.augment, drawn)
        mine = [batch[process] for batch in self.shares]
        torch.manual_seed(generator(self.seed, epoch, _NOISE, process).initial_seed())
        self.model.train()
        summed = torch.zeros((), device=self.accelerator.device)
        batches = self.train.iterate([order[part] for part in mine], self.accelerator.device)
        for index, (inputs, targets) in enumerate(batches):
            step = epoch * self.steps + index
            if self.on_step is not None:
                self.on_step(step, self.settings.epochs * self.steps)
            if change is not None:
                inputs = change(inputs, np.arange(count)[mine[index]])
            loss = self._step(inputs, targets, index)
            advance()
            summed += loss * (mine[index].stop - mine[index].start)
            if self.progress is not None and self._is_due(index):
                self._tell(step, {"loss": float(loss)})
        total: Tensor = self.accelerator.reduce(summed, "sum")
        return float(total) / count

    def _step(self, inputs: Values, targets: Values, index: int) -> Tensor:
        """Take one step; return the mean loss of this process's samples."""
        self.optimizer.zero_grad(set_to_none=True)
        outputs = answer(self.wrapped, inputs)
        loss = self.task.loss(outputs, targets, **self.options)
        if loss.ndim:
            raise DataError(
                f"the loss of task {self.task.name} must be one number, the mean of a batch, "
                f"got shape {tuple(loss.shape)}"
            )
        if self.teacher is not None:
            scores = bool(self.task.classes)
            loss = self.teacher.loss(loss, inputs, outputs, scores=scores)
        # the processes' gradients are averaged: this makes it the mean over the global batch
        share, processes = self.shares[index], self.accelerator.num_processes
        part = share[self.accelerator.process_index]
        weight = (part.stop - part.start) * processes / (share[-1].stop - share[0].start)
        self.accelerator.backward(loss * weight)
        self.constraints.collect_gradients(self.model)
        self.stepper.step()
        self.constraints.apply(self.model)
        return loss.detach()

    def _judge(
        self, validation: Batches, history: checkpoint.History, codes: dict[str, Tensor]
    ) -> None:
        """Measure after an epoch and keep the weights if none was better."""
        history.validation.append(self._metric(validation))
        if not _equal(codes, self._discrete()):
            history.best_epoch = -1  # an earlier epoch is of a denser or other network
        best = history.validation[history.best_epoch] if history.best_epoch >= 0 else None
        if self._is_as_good(history.validation[-1], best):
            history.best_epoch = len(history.losses) - 1
            history.best = checkpoint.snapshot(self.model)

    def _is_as_good(self, found: float | None, best: float | None) -> bool:
        if best is None or found is None:
            return best is None
        return found >= best if self.task.metric.higher_is_better else found <= best

    def _try(self, validation: Batches) -> None:
        """Let an error in a task's own metric show before an epoch, and not after it."""
        first = evaluate.order_of(validation)[:1]
        evaluate.figures(self.model, self.task.metric, validation, first, self.accelerator.device)

    def _metric(self, validation: Batches) -> float | None:
        """Measure a part of the data; None where an output is not finite."""
        device, count = self.accelerator.device, self.accelerator.num_processes
        if count > 1:
            from accelerate.utils import broadcast

            broadcast(list(self.model.buffers()))
        order = evaluate.order_of(validation)
        mine = order[self.accelerator.process_index :: count]
        metric, parts = self.task.metric, list[tuple[Order, Figures]]()
        if mine:  # there may be fewer batches than processes
            found = evaluate.figures(self.model, metric, validation, mine, device)
            parts = [(np.concatenate(mine), found)]
        try:
            return whole(metric, _together(parts, count))
        except DataError:
            return None

    def _discrete(self) -> dict[str, Tensor]:
        """Copy the masks and codes: all of the constraints but the centroids' values."""
        state = constraints_of(self.model).state()
        return {name: t.clone() for name, t in state.items() if not name.endswith(":codebook")}

    def _show(self, history: checkpoint.History) -> None:
        figures = {"loss": history.losses[-1]}
        if self.validation is not None:
            found = history.validation[-1]
            figures[self.task.metric.name] = math.nan if found is None else found
        self._tell(len(history.losses) * self.steps - 1, figures)

    def _is_due(self, index: int) -> bool:
        """Tell whether a step of an epoch is told."""
        waited = time.monotonic() - self.told >= _PROGRESS_SECONDS
        return waited or index % _PROGRESS_EVERY == 0

    def _tell(self, step: int, figures: dict[str, float]) -> None:
        if self.progress is not None:
            self.told = time.monotonic()
            epoch = {"epoch": float(step // self.steps + 1)}
            self.progress(step + 1, self.settings.epochs * self.steps, epoch | figures)


def _accelerator(device: torch.device) -> Accelerator:
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError as error:
        raise MissingExtraError("accelerate", "torch") from error
    try:
        accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    except ValueError as error:  # accelerate holds one device for the life of the process
        raise SettingsError(f"device must be that of the first training, got {device}") from error
    found = accelerator.device.type
    require(found == device.type, "device", f"one that is there ({found})", str(device))
    return accelerator


def _optimizer(settings: TrainSettings, parameters: list[nn.Parameter]) -> Optimizer:
    lr, decay = settings.lr, settings.weight_decay
    betas = (settings.momentum, 0.999)
    match settings.optimizer:
        case "sgd":
            nesterov = settings.momentum > 0
            return SGD(parameters, lr, settings.momentum, 0, decay, nesterov)
        case "adam":
            return Adam(parameters, lr, betas, weight_decay=decay)
        case "adamw":
            return AdamW(parameters, lr, betas, weight_decay=decay)
        case _:
            assert_never(settings.optimizer)


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """Leave torch's global generators as they were."""
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


def _together(parts: list[tuple[Order, Figures]], processes: int) -> Figures:
    """Return the figures of all processes, in the order of the samples."""
    if processes > 1:
        from accelerate.utils import gather_object

        parts = gather_object(parts)
    places = np.concatenate([place for place, _ in parts])
    found: Figures = np.concatenate([figures for _, figures in parts])
    return found[np.argsort(places)]


def _identity(
    model: nn.Module,
    settings: TrainSettings,
    task: Task,
    seed: int,
    train: Samples,
    validation: Samples | None,
    teacher: Teacher | None,
) -> str:
    """Digest what a resumed training must have in common with the one it goes on with."""
    record = {
        "settings": asdict(settings),
        "task": task.settings,
        "seed": seed,
        "teacher": teacher and teacher.key,
        "parameters": [(name, list(p.shape)) for name, p in model.named_parameters()],
        "samples": [part and part.digest() for part in (train, validation)],
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(held, right[name]) for name, held in left.items()
    )

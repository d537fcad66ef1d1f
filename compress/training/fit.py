"""The fit loop: dense baselines, fine-tuning under masks, centroids. It runs on accelerate.

The same call works in one process and under `torchrun`: each process takes its part of every
global batch, gradients are averaged with the parts' true weights, and the order and the
augmentation do not depend on the number of processes. BatchNorm uses the statistics of each
process's part, and the first process's running statistics are kept; dropout draws anew on each
process. On a CPU the same call gives the same bits, resumed or not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from typing_extensions import assert_never

from compress.constraints import constraints_of
from compress.errors import MissingExtraError, SettingsError, require
from compress.preprocess import Preprocessing
from compress.training import augment, checkpoint, evaluate, schedule
from compress.training.data import Batches, Order, generator, permutation, shares
from compress.training.settings import TrainSettings
from compress.training.task import Samples

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
    validation_correct: tuple[int, ...]  #: after each epoch; empty without validation
    validation_samples: int
    best_epoch: int  #: the one that was kept, counted from 0

    @property
    def validation_accuracy(self) -> float | None:
        """Accuracy of what was kept, in [0, 1]."""
        if not self.validation_samples:
            return None
        return self.validation_correct[self.best_epoch] / self.validation_samples


def fit(
    model: nn.Module,
    settings: TrainSettings,
    *,
    train: Samples,
    validation: Samples | None,
    preprocessing: Preprocessing,
    augmentation: Mapping[str, float],
    seed: int,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
    progress: Progress | None = None,
) -> FitReport:
    """Train a classifier in place; it keeps its constraints and ends in evaluation mode.

    The weights after the epoch with the best validation accuracy are kept, the later one of two
    alike, and only of epochs since masks and codes last changed; without validation, the last.

    Args:
        model: takes `(n, channels, height, width)`, gives one output a class.
        settings: of the training.
        train: part to train on; every sample comes once in an epoch.
        validation: part to choose the epoch by.
        preprocessing: of both parts.
        augmentation: the task's, see `augment.CHANGES`.
        seed: at least 0; order, augmentation and dropout follow from it.
        device: "cpu" or "cuda".
        checkpoint: file that is written after each epoch, and resumed from where it exists; a
            damaged one is told, and the training begins anew.
        on_step: called before each step with its number and the number of all steps; it may
            change masks and weights.
        progress: called now and then with the same numbers, counted from 1, and figures to show.

    Raises:
        SettingsError: when the settings do not fit the data or the processes.
        DataError: when the checkpoint is of another training.
    """
    require(seed >= 0, "seed", "at least 0", seed)
    accelerator = _accelerator(torch.device(device))
    model.to(accelerator.device)
    loop = _Loop(
        accelerator, model, settings, Batches(train, preprocessing),
        Batches(validation, preprocessing) if validation is not None else None,
        augmentation, seed, on_step, progress,
    )  # fmt: skip
    identity = _identity(model, settings, preprocessing, augmentation, seed, train, validation)
    with _undisturbed(accelerator.device), loop.prepared():
        history = loop.run(checkpoint, identity)
    return FitReport(
        epochs=len(history.losses),
        losses=tuple(history.losses),
        validation_correct=tuple(history.correct),
        validation_samples=len(validation) if validation is not None else 0,
        best_epoch=history.best_epoch if validation is not None else len(history.losses) - 1,
    )


class _Loop:
    """One training; arguments are checked by the caller."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        settings: TrainSettings,
        train: Batches,
        validation: Batches | None,
        augmentation: Mapping[str, float],
        seed: int,
        on_step: OnStep | None,
        progress: Progress | None,
    ) -> None:
        self.accelerator, self.model, self.settings = accelerator, model, settings
        self.train, self.validation = train, validation
        self.augmentation, self.seed = augmentation, seed
        self.on_step, self.progress = on_step, progress
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
        maps = augment.draw(self.augmentation, self.settings.augment, count, drawn)
        mine = [batch[process] for batch in self.shares]
        torch.manual_seed(generator(self.seed, epoch, _NOISE, process).initial_seed())
        self.model.train()
        summed = torch.zeros((), device=self.accelerator.device)
        batches = self.train.iterate([order[part] for part in mine], self.accelerator.device)
        for index, (inputs, labels) in enumerate(batches):
            step = epoch * self.steps + index
            if self.on_step is not None:
                self.on_step(step, self.settings.epochs * self.steps)
            if maps is not None:
                inputs = augment.transform(inputs, maps[mine[index]].to(inputs.device))
            whole = self.shares[index][-1].stop - self.shares[index][0].start
            loss = self._step(inputs, labels, whole)
            advance()
            summed += loss
            if self.progress is not None and self._is_due(index):
                self._tell(step, {"loss": float(loss) / len(labels)})
        total: Tensor = self.accelerator.reduce(summed, "sum")
        return float(total) / count

    def _step(self, inputs: Tensor, labels: Tensor, whole: int) -> Tensor:
        """Take one step; return the loss summed over this process's samples."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(
            self.wrapped(inputs),
            labels,
            reduction="sum",
            label_smoothing=self.settings.label_smoothing,
        )
        # the processes' gradients are averaged: this makes it the mean over the global batch
        self.accelerator.backward(loss * (self.accelerator.num_processes / whole))
        self.constraints.collect_gradients(self.model)
        self.stepper.step()
        self.constraints.apply(self.model)
        return loss.detach()

    def _judge(
        self, validation: Batches, history: checkpoint.History, codes: dict[str, Tensor]
    ) -> None:
        """Count what is right after an epoch and keep the weights if none was better."""
        history.correct.append(self._correct(validation))
        if not _equal(codes, self._discrete()):
            history.best_epoch = -1  # an earlier epoch is of a denser or other network
        best = history.correct[history.best_epoch] if history.best_epoch >= 0 else -1
        if history.correct[-1] >= best:
            history.best_epoch = len(history.losses) - 1
            history.best = checkpoint.snapshot(self.model)

    def _correct(self, validation: Batches) -> int:
        device, count = self.accelerator.device, self.accelerator.num_processes
        if count > 1:
            from accelerate.utils import broadcast

            broadcast(list(self.model.buffers()))
        parts = evaluate.chunks(len(validation), evaluate.batch_of(validation))
        mine: list[Order] = parts[self.accelerator.process_index :: count]
        right = torch.tensor(evaluate.correct(self.model, validation, mine, device), device=device)
        return int(self.accelerator.reduce(right, "sum"))

    def _discrete(self) -> dict[str, Tensor]:
        """Copy the masks and codes: all of the constraints but the centroids' values."""
        state = constraints_of(self.model).state()
        return {name: t.clone() for name, t in state.items() if not name.endswith(":codebook")}

    def _show(self, history: checkpoint.History) -> None:
        figures = {"loss": history.losses[-1]}
        if self.validation is not None:
            figures["accuracy"] = history.correct[-1] / len(self.validation)
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


def _identity(
    model: nn.Module,
    settings: TrainSettings,
    preprocessing: Preprocessing,
    augmentation: Mapping[str, float],
    seed: int,
    train: Samples,
    validation: Samples | None,
) -> str:
    """Digest what a resumed training must have in common with the one it goes on with."""
    record = {
        "settings": asdict(settings),
        "preprocessing": preprocessing.to_json(),
        "augmentation": dict(augmentation),
        "seed": seed,
        "parameters": [(name, list(p.shape)) for name, p in model.named_parameters()],
        "samples": [part and part.digest() for part in (train, validation)],
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(held, right[name]) for name, held in left.items()
    )

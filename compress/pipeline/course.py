"""One run, as far as it has come: what its stages share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.measure.evaluate import whole
from compress.passes.context import OnStep
from compress.passes.network import Weight
from compress.passes.table import Pass
from compress.pipeline import outcome
from compress.pipeline.cache import Cache, Entry
from compress.pipeline.data import Data
from compress.pipeline.folder import Folder
from compress.pipeline.notify import Notify, told
from compress.pipeline.opening import Opened
from compress.pipeline.working import Working
from compress.recipe import Recipe
from compress.references.subject import Subject
from compress.report.data import MAX_HISTOGRAMS, histogram
from compress.tasks.metric import Figures
from compress.training.settings import TrainSettings

VERSION = 6  # of what a stage leaves: raised where the same settings give other bits

Record = dict[str, Any]  # what a stage leaves beside a network's state, as JSON's types
Facts = Mapping[str, Any]  # the same, read again


@dataclass(slots=True, kw_only=True)
class Course:
    """What a run works with, and how far it has come."""

    recipe: Recipe
    subject: Subject
    opened: Opened
    folder: Folder
    notify: Notify
    cache: Cache
    inputs: list[NDArray[Any]] = field(default_factory=list)  #: examples
    facts: dict[str, Facts] = field(default_factory=dict)  #: of the stages so far, by name
    key: str = ""  #: of the network as the stages so far leave it
    taught: str = ""  #: key of what teaches all trainings, and how
    dense: Figures | None = None  #: the metric's figures of the dense network, on validation
    _state: bytes | None = None  #: what the network has not taken over yet
    _plans: list[tuple[Pass, Any]] = field(default_factory=list)  #: of structures, likewise

    @property
    def data(self) -> Data | None:
        """The task's parts."""
        return self.opened.data

    @property
    def working(self) -> Working:
        """The network."""
        return self.opened.working

    def weights(self) -> list[Weight]:
        """List the weights that passes may change."""
        return list(self.working.network.weights()[0])

    def common(self) -> list[Any]:
        """Return what decides the bits of every stage, as JSON's types."""
        return [self.recipe.seed, self.working.machine(), outcome.versions()]

    @contextmanager
    def stage(self, name: str) -> Iterator[Record]:
        """Tell, time and record a stage."""
        with self.notify.stage(name), self.folder.work.stage(name) as record:
            yield record

    def reuse(self, row: Pass, entry: Entry) -> None:
        """Take what a pass has left; the network follows when it is looked at."""
        self._state = entry.state
        if row.rebuild is not None:
            self._plans.append((row, entry.record["plan"]))

    def catch_up(self) -> None:
        """Bring the network to where the stages so far have left it."""
        for row, plan in self._plans:
            row.rebuilding()(self.working.network, plan)
        if self._state is not None:
            self.working.restore(self._state)
        self._plans, self._state = [], None

    def fit(self, stage: str, key: str, settings: TrainSettings, on_step: OnStep | None) -> None:
        """Train the network on the task's training part.

        Args:
            stage: that trains.
            key: of its result, under which the checkpoint is kept.
            settings: of the training.
            on_step: is called before each step.
        """
        assert self.data is not None
        assert self.data.train is not None
        checkpoint = self.cache.checkpoint(key)
        self.notify.training(told(stage, self.subject.name, settings, len(self.data.train)))
        try:
            self.working.fit(
                settings, checkpoint=checkpoint, on_step=on_step, progress=self.notify.step
            )
        except BaseException:
            if checkpoint.exists():  # there is something to go on with
                self.folder.work.note(stage, {"checkpoint": str(checkpoint)})
            raise
        checkpoint.unlink(missing_ok=True)

    def figures(self, part: str) -> Figures | None:
        """Return the metric's figures on a part of the data, None where there is none."""
        assert self.data is not None
        samples = getattr(self.data, part)
        if samples is None:
            return None
        return self.working.figures(self.data.task.metric, samples, self.step)

    def told(self, **figures: Figures | None) -> dict[str, float]:
        """Return the metric by part of the data."""
        assert self.data is not None
        metric = self.data.task.metric
        return {part: whole(metric, own) for part, own in figures.items() if own is not None}

    def lost(self) -> tuple[float, int]:
        """Return the points that are lost on the validation part, and its samples.

        Points of a metric that is no fraction are hundredths of what the dense network has.
        """
        assert self.data is not None
        assert self.dense is not None
        metric, now = self.data.task.metric, self.figures("validation")
        assert now is not None
        before, after = whole(metric, self.dense), whole(metric, now)
        drop = before - after if metric.higher_is_better else after - before
        return 100 * (drop if metric.is_fraction else drop / max(abs(before), 1e-12)), len(now)

    def histograms(self) -> dict[str, Any]:
        """Count the values of the largest weights."""
        weights = sorted(self.weights(), key=lambda weight: -int(np.prod(weight.shape)))
        return {w.name: asdict(histogram(w.values())) for w in weights[:MAX_HISTOGRAMS]}

    def step(self, done: int, total: int) -> None:
        """Tell the progress of what has no figures."""
        self.notify.step(done, total, {})

"""A recipe carried out: dense, the passes in their order, export, pack, check, report.

The runner knows no pass and no library: it asks the table of passes, and the network that it works
on. What a stage leaves is kept by its content, and is not done again where it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from compress import kept
from compress import recipe as recipes
from compress.artifact import archive
from compress.measure import size
from compress.measure.evaluate import whole
from compress.measure.parity import difference
from compress.measure.sessions import evaluate_session
from compress.passes.context import Context, OnStep, Passed
from compress.passes.table import Pass
from compress.pipeline import examples, opening, outcome, used
from compress.pipeline.cache import Cache, Entry, key_of
from compress.pipeline.data import Data
from compress.pipeline.folder import Begun, Folder
from compress.pipeline.notify import Notify, Silent, told
from compress.pipeline.opening import Opened
from compress.pipeline.work import Work
from compress.recipe import Recipe
from compress.references.subject import Subject
from compress.report.data import MAX_HISTOGRAMS, Report, histogram
from compress.runtime import load
from compress.tasks import Task
from compress.tasks.calibration import Calibration
from compress.tasks.metric import Figures
from compress.training.settings import TrainSettings

_LOG = logging.getLogger(__name__)

_VERSION = 3  # of what a stage leaves: raised where the same settings give other bits


def run(
    recipe: Recipe,
    subject: Subject,
    out: Path,
    *,
    task: Task | None = None,
    calibration: Calibration | None = None,
    resume: bool = False,
    force: bool = False,
    notify: Notify | None = None,
) -> Report:
    """Carry out a recipe; the results are files in `out`, which the report counts.

    A folder that holds a run is refused unless one of `resume` and `force` is given.

    Args:
        recipe: what to do.
        subject: the network that the recipe names.
        out: folder of the results; it is made.
        task: the data that the recipe names.
        calibration: samples without labels; None for those that the recipe names, else some of the
            task's training part, else made up.
        resume: go on with a run that was ended early; the result has the same bytes. One that is
            done already is read again.
        force: begin anew over an earlier run; its files are replaced when the first new one is
            written.
        notify: is told how the run goes.

    Raises:
        CompressError: what went wrong, in one line.
    """
    opened = opening.open_run(recipe, subject, task, calibration)
    begun = Begun(
        subject.name,
        recipe,
        kept.digest_of(opened.source) if isinstance(opened.source, Path) else None,
        used.digest_of(recipe, subject, opened.source, opened.data, opened.sampler),
        outcome.versions(),
    )
    with closing(Work(out)) as work, closing(Folder(out, work, begun)) as folder:
        done = folder.enter(resume=resume, force=force)
        if done is not None:
            return done
        with closing(_Run(recipe, subject, opened, folder, notify or Silent())) as own:
            return own.report()


@dataclass(slots=True)
class _Run:
    """One run, as far as it has come."""

    recipe: Recipe
    subject: Subject
    opened: Opened
    folder: Folder
    notify: Notify
    cache: Cache = field(default_factory=Cache)
    key: str = ""  #: of the network as the stages so far leave it
    behind: Entry | None = None  #: what the network has not taken over yet
    dense: Figures | None = None  #: the metric's figures of the dense network, on validation
    inputs: list[Any] = field(default_factory=list)  #: examples
    built: str = ""  #: digest of the network before it is trained

    def close(self) -> None:
        """Remove what was only for the way."""
        self.opened.working.forget_sizes()

    @property
    def data(self) -> Data | None:
        """The task's parts."""
        return self.opened.data

    def report(self) -> Report:
        """Carry out all stages and write the report."""
        facts: dict[str, Mapping[str, Any]] = {"dense": self._dense()}
        for row in self.recipe.rows:
            facts[row.name] = self._pass(row)
        for name, act in (("export", self._export), ("pack", self._pack), ("check", self._check)):
            if self.folder.work.facts(name) is None:
                with self.notify.stage(name), self.folder.work.stage(name) as record:
                    act(record)
            facts[name] = self.folder.work.facts(name) or {}
        with self.notify.stage("report"):
            report = outcome.report(
                self.recipe,
                self.subject,
                self.data,
                self.opened.device,
                archive.read(self.folder.packed),
                facts,
                self.folder.digests(),
                self._used(),
            )
            outcome.write(report, self.folder.out)
        self.folder.work.discard()
        if not report.parity.within:
            _LOG.warning(
                "%s: the file's outputs differ from the network's by %.1e of the largest, "
                "more than the %.0e that is allowed",
                report.model, report.parity.max_rel, report.parity.tolerance,
            )  # fmt: skip
        return report

    def _dense(self) -> Mapping[str, Any]:
        """Load or train the dense weights, and measure them."""
        working, data = self.opened.working, self.data
        working.load(self.opened.source)
        self.inputs = examples.inputs_of(self.subject, data, self.recipe.seed, self.opened.sampler)
        if data is not None:
            examples.require_scores(working.run(self.inputs), self.subject, data)
        self._tell_expected()
        self.built = working.digest()
        is_there = self.opened.source != "trained" or self._restored_dense()
        entry = self._found_dense() if is_there else None
        if entry is None:
            with self.notify.stage("dense"), self.folder.work.stage("dense") as record:
                if not is_there:
                    self._train_dense()
                record |= {"params": working.params, "bytes": working.n_bytes}
                record["histograms"] = self._histograms()
                if data is not None:
                    figures = self._figures("validation")
                    record["figures"] = None if figures is None else figures.tolist()
                    record["accuracy"] = self._told(validation=figures, test=self._figures("test"))
            self._found_dense()
            entry = self.cache.keep(self.key, record, None)
        figures = entry.record.get("figures")
        self.dense = None if figures is None else np.array(figures, np.float64)
        return entry.record

    def _found_dense(self) -> Entry | None:
        """Return what is known of the dense network, by what it is now."""
        seen = self.data.decides("validation", "test") if self.data is not None else None
        self.key = key_of(_VERSION, "dense", self.opened.working.digest(), seen, self._common())
        return self.cache.find(self.key)

    def _restored_dense(self) -> bool:
        """Take over the dense network that an earlier run trained; tell whether there is one."""
        entry = self.cache.find(self._dense_key())
        if entry is None:
            return False
        self.opened.working.restore(entry.state() or b"")
        return True

    def _train_dense(self) -> None:
        """Train the dense network, once for all runs that ask for the same."""
        assert self.data is not None
        settings = used.dense_training(self.recipe, self.data, self.subject.name)
        key = self._dense_key()
        self._fit("dense", key, settings, None)
        self.cache.keep(key, {}, self.opened.working.state())

    def _dense_key(self) -> str:
        """Return the key of what training makes of the network as it was built."""
        assert self.data is not None
        settings = used.dense_training(self.recipe, self.data, self.subject.name)
        decides = [asdict(settings), self.data.decides("train", "validation")]
        return key_of(_VERSION, "trained", self.built, decides, self._common())

    def _pass(self, row: Pass) -> Mapping[str, Any]:
        """Run a pass and measure it, unless what it leaves is kept already."""
        settings = self.recipe.passes[row.name]
        training = used.training(row, self.recipe, self.data, self.subject)
        self.key = key_of(_VERSION, self.key, row.name, self._decides(row, training))
        entry = self.cache.find(self.key)
        if entry is None:
            with self.notify.stage(row.name), self.folder.work.stage(row.name) as record:
                self._catch_up()
                context = self._context(row, training)
                passed = row.function()(self.opened.working.network, settings, context)
                self._tell(passed)
                record |= _facts(passed)
                values = (weight.values() for weight in self._weights())
                record["size_bytes"] = size.packed_bytes(values) + self._unchanged_bytes()
                if self.data is not None:
                    record["accuracy"] = self._told(validation=self._figures("validation"))
            return self.cache.keep(self.key, record, self.opened.working.state()).record
        self.behind = entry
        return entry.record

    def _decides(self, row: Pass, training: TrainSettings | None) -> list[Any]:
        """Return what decides a pass's result beside the network that it is given."""
        samples = used.n_samples(row, self.recipe)
        return [
            recipes.section_of(self.recipe.passes[row.name]),
            asdict(training) if training is not None else None,
            self.data.decides("train", "validation") if training and self.data else None,
            self.opened.sampler.digest(samples) if samples else None,
            [self.recipe.coder, msgspec.to_builtins(self.recipe.onnx)] if row.needs_file else None,
            self._common(),
        ]

    def _common(self) -> list[Any]:
        """Return what decides the bits of every stage."""
        return [self.recipe.seed, self.opened.working.machine(), outcome.versions()]

    def _context(self, row: Pass, training: TrainSettings | None) -> Context:
        """Bind what a pass may ask for."""
        opened, fit = self.opened, None
        if training is not None:
            settings = training

            def fit(on_step: OnStep | None) -> None:
                self._fit(row.name, self.key, settings, on_step)

        return Context(
            seed=self.recipe.seed,
            fit=fit,
            samples=opened.sampler.first,
            are_real=opened.sampler.are_real,
            file_bytes=lambda _: opened.working.file_bytes(self.inputs),
            drop=(lambda _: self._drop()) if self.dense is not None else None,
            scores=self.data is None or bool(self.data.task.classes),
            note=self.notify.note,
        )

    def _fit(self, stage: str, key: str, settings: TrainSettings, on_step: OnStep | None) -> None:
        assert self.data is not None
        assert self.data.train is not None
        checkpoint = self.cache.checkpoint(key)
        count = len(self.data.train)
        self.notify.training(told(stage, self.subject.name, settings, count))
        self.opened.working.fit(
            settings, checkpoint=checkpoint, on_step=on_step, progress=self.notify.step
        )
        checkpoint.unlink(missing_ok=True)

    def _drop(self) -> tuple[float, int]:
        """Return the points that are lost on the validation part, and its samples."""
        assert self.data is not None
        assert self.dense is not None
        metric, now = self.data.task.metric, self._figures("validation")
        assert now is not None
        before, after = whole(metric, self.dense), whole(metric, now)
        lost = before - after if metric.higher_is_better else after - before
        return 100 * (lost if metric.is_fraction else lost / max(abs(before), 1e-12)), len(now)

    def _export(self, record: dict[str, Any]) -> None:
        """Write the ONNX file, and what the network makes of the examples."""
        self._catch_up()
        working, work = self.opened.working, self.folder.work
        working.forget_sizes()
        outputs = working.run(self.inputs)
        weights, skipped = working.network.weights()
        record["histograms"] = self._histograms()
        record["centroids"] = {
            weight.name: np.unique(weight.values()[weight.values() != 0]).tolist()
            for weight in weights
            if weight.is_shared
        }
        record["kinds"] = {name: weight.kind for weight in weights for name in weight.names}
        record["unchanged"] = {one.name: one.reason for one in skipped}
        work.save_arrays("inputs", {str(i): array for i, array in enumerate(self.inputs)})
        work.save_arrays("outputs", {str(i): array for i, array in enumerate(outputs)})
        self.folder.replace()
        working.export(self.folder.plain, self.inputs)
        for path in self.folder.exported:
            work.made(path)

    def _pack(self, record: dict[str, Any]) -> None:
        """Code the ONNX file."""
        packed = self.folder.packed
        self.opened.working.pack(self.folder.plain, packed)
        self.folder.work.made(packed)
        record["size_bytes"] = packed.stat().st_size

    def _check(self, record: dict[str, Any]) -> None:
        """Load the file that ships, compare it with the network, and measure it."""
        session, work = load(self.folder.packed), self.folder.work
        inputs, outputs = work.load_arrays("inputs"), work.load_arrays("outputs")
        found = session.run({given.name: inputs[str(i)] for i, given in enumerate(session.inputs)})
        differences = [
            difference(found[o.name], outputs[str(i)]) for i, o in enumerate(session.outputs)
        ]
        record |= asdict(max(differences, key=lambda output: output.max_rel))
        if self.data is None:
            return
        packed = kept.digest_of(self.folder.packed)
        key = key_of(_VERSION, "check", packed, self.data.decides("test"), outcome.versions())
        entry = self.cache.find(key)
        if entry is None:
            task, test = self.data.task, self.data.test
            value = evaluate_session(session, task, test, progress=self._step)
            entry = self.cache.keep(key, {"test": value}, None)
        record["accuracy"] = {"test": entry.record["test"]}

    def _catch_up(self) -> None:
        """Bring the network to where the stages so far left it."""
        if self.behind is not None:
            self.opened.working.restore(self.behind.state() or b"")
            self.behind = None

    def _figures(self, part: str) -> Figures | None:
        """Return the metric's figures on a part, None where there is none."""
        assert self.data is not None
        samples = getattr(self.data, part)
        if samples is None:
            return None
        return self.opened.working.figures(self.data.task.metric, samples, self._step)

    def _told(self, **figures: Figures | None) -> dict[str, float]:
        assert self.data is not None
        metric = self.data.task.metric
        return {part: whole(metric, own) for part, own in figures.items() if own is not None}

    def _tell_expected(self) -> None:
        """Say what usually happens where nothing trains the network and no samples are real."""
        advised = {"calibration": "--calibration DIR", "task": "--task with a training part"}
        looks = any(used.n_samples(row, self.recipe) for row in self.recipe.rows)
        if looks and not self.opened.sampler.are_real and self.data is None:
            _LOG.warning(
                "no samples: errors are made to cancel on made-up ones, which keeps less than real "
                "ones do; give %s", " or ".join(advised.values()),
            )  # fmt: skip

    def _tell(self, passed: Passed) -> None:
        for note in passed.notes:
            _LOG.warning("%s", note)
        noted = [layer for layer in passed.layers if layer.note is not None]
        if noted:
            _LOG.warning(
                "%s in %d of %d layers: the report names them",
                noted[0].note, len(noted), len(passed.layers),
            )  # fmt: skip

    def _weights(self) -> list[Any]:
        return list(self.opened.working.network.weights()[0])

    def _unchanged_bytes(self) -> int:
        """Return the bytes of all that passes leave alone."""
        changed = sum(4 * int(np.prod(weight.shape)) for weight in self._weights())
        return max(self.opened.working.n_bytes - changed, 0)

    def _histograms(self) -> dict[str, Any]:
        """Count the values of the largest weights."""
        weights = sorted(self._weights(), key=lambda weight: -int(np.prod(weight.shape)))
        return {w.name: asdict(histogram(w.values())) for w in weights[:MAX_HISTOGRAMS]}

    def _used(self) -> dict[str, Any]:
        looks = any(used.n_samples(row, self.recipe) for row in self.recipe.rows)
        return used.used(
            self.recipe,
            self.subject,
            self.opened.source,
            self.data,
            samples=self.opened.samples_from if looks else None,
            device=self.opened.device,
            digests={
                "weights_sha256": self.folder.begun.weights,
                "data_sha256": self.folder.begun.data,
            },
        )

    def _step(self, done: int, total: int) -> None:
        self.notify.step(done, total, {})


def _facts(passed: Passed) -> dict[str, Any]:
    """Return what a report tells of a pass, as JSON's types."""
    return {
        "skipped": {one.name: one.reason for one in passed.skipped},
        "layer_notes": {one.name: one.note for one in passed.layers if one.note is not None},
        "notes": list(passed.notes),
        "figures": dict(passed.figures),
        "plan": passed.plan,
    }

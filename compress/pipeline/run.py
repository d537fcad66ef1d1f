"""The stages of a run, in their order: dense, prune, share, export, pack, check, report."""

from __future__ import annotations

import gc
import io
import itertools
import logging
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from compress import kept
from compress.artifact import archive
from compress.constrained import Shared, constraints_of
from compress.errors import SettingsError
from compress.measure import accuracy, size
from compress.measure.parity import difference
from compress.passes.budget import share_to_size
from compress.passes.prune import OnStep, PruneReport, prune
from compress.passes.settings import BudgetSettings
from compress.passes.share import ShareReport, share
from compress.passes.weights import weights_of
from compress.pipeline import dense, examples, outcome, published, used
from compress.pipeline.folder import Begun, Folder
from compress.pipeline.notify import Notify, Silent, told
from compress.pipeline.shipping import Shipping
from compress.pipeline.subject import Data, Subject, load_data
from compress.pipeline.work import Work
from compress.recipe import Recipe
from compress.report.data import MAX_HISTOGRAMS, Report, histogram
from compress.runtime import load
from compress.training import checkpoint
from compress.training.evaluate import accuracy as torch_accuracy
from compress.training.fit import FitReport, fit
from compress.training.settings import TrainSettings

_LOG = logging.getLogger(__name__)


def run(
    recipe: Recipe,
    subject: Subject,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    notify: Notify | None = None,
) -> Report:
    """Carry out a recipe; the results are files in `out`, which the report counts.

    A folder that holds a run is refused unless one of `resume` and `force` is given.

    Args:
        recipe: what to do.
        subject: the network and the data that the recipe names.
        out: folder of the results; it is made.
        resume: go on with a run that was ended early; the result has the same bytes. One that is
            done already is read again.
        force: begin anew over an earlier run; its files are replaced when the first new one is
            written.
        notify: is told how the run goes.

    Raises:
        CompressError: what went wrong, in one line.
    """
    source = dense.source_of(recipe, subject)
    data = load_data(subject, dense.preprocessing_of(source, subject))
    begun = Begun(
        subject.name,
        recipe,
        kept.digest_of(source) if isinstance(source, Path) else None,
        used.digest_of(data, recipe, source),
        outcome.versions(),
    )
    with closing(Work(out)) as work, closing(Folder(out, work, begun)) as folder:
        done = folder.enter(resume=resume, force=force)
        if done is not None:
            return done
        return _Run(recipe, subject, source, data, folder, notify or Silent()).report()


class _Run:
    """One run; each stage leaves facts in the work folder, and is skipped where they are there."""

    def __init__(
        self,
        recipe: Recipe,
        subject: Subject,
        source: dense.Source,
        data: Data | None,
        folder: Folder,
        notify: Notify,
    ) -> None:
        self.recipe, self.subject, self.source, self.data = recipe, subject, source, data
        self.folder, self.work, self.notify = folder, folder.work, notify
        self.device = _device(recipe.device)
        self.shipping = Shipping(recipe, subject, source, self.data)
        self.model: nn.Module | None = None
        self.reached: str | None = None  # the stage that left the model as it is

    def report(self) -> Report:
        """Carry out all stages and write the report."""
        stages: list[tuple[str, Callable[[dict[str, Any]], None]]] = [("dense", self.dense)]
        if self.recipe.prune is not None:
            stages.append(("prune", self.prune))
        if self.recipe.quantize is not None or self.recipe.budget is not None:
            stages.append(("share", self.share))
        stages += [("export", self.export), ("pack", self.pack), ("check", self.check)]
        for position, (name, act) in enumerate(stages):
            if self.work.facts(name) is None:
                with self.notify.stage(name), self.work.stage(name) as record:
                    self._recover([earlier for earlier, _ in stages[:position]], name)
                    act(record)
                    self.reached = name
                self.work.path(f"{name}.fit").unlink(missing_ok=True)
        facts = {name: self.work.facts(name) or {} for name, _ in stages}
        with self.notify.stage("report"):
            report = outcome.report(
                self.recipe,
                self.subject,
                self.data,
                str(self.device),
                archive.read(self.folder.packed),
                facts,
                self.folder.digests(),
                self._used(),
            )
            outcome.write(report, self.folder.out)
        self.work.discard()
        if not report.parity.within:
            _LOG.warning(
                "%s: ONNX Runtime's outputs differ from torch's by %.1e of the largest, "
                "more than the %.0e that is allowed",
                report.model, report.parity.max_rel, report.parity.tolerance,
            )  # fmt: skip
        return report

    def dense(self, record: dict[str, Any]) -> None:
        """Build the network with its dense weights, and measure it."""
        model = self._dense_model()
        state = model.state_dict().values()
        record["params"] = sum(p.numel() for p in model.parameters())
        record["bytes"] = sum(t.nbytes for t in {t.data_ptr(): t for t in state}.values())
        record["histograms"] = _histograms(model)
        self._measure(model, record, test=True)

    def prune(self, record: dict[str, Any]) -> None:
        """Prune, keep what training made, and measure the step."""
        self._finish_pass("prune", record, *self._prune())

    def share(self, record: dict[str, Any]) -> None:
        """Share weights, keep what training made, and measure the step."""
        self._finish_pass("share", record, *self._share())

    def export(self, record: dict[str, Any]) -> None:
        """Write the ONNX file, and what torch makes of the examples."""
        model = self._model.cpu()
        inputs = self.shipping.inputs()
        outputs = examples.outputs_of(model, inputs)
        record["histograms"] = _histograms(model)
        record["centroids"] = {
            name: constraint.codebook.tolist()
            for name, constraint in constraints_of(model).by_name.items()
            if isinstance(constraint, Shared)
        }
        weights, unchanged = weights_of(model)
        record["kinds"] = {name: weight.kind for weight in weights for name in weight.names}
        record["unchanged"] = {skipped.name: skipped.reason for skipped in unchanged}
        self.work.save_arrays("inputs", {str(i): array for i, array in enumerate(inputs)})
        self.work.save_arrays("outputs", {str(i): array for i, array in enumerate(outputs)})
        self.folder.replace()
        self.shipping.export(model, inputs, len(outputs), self.folder.plain)
        for path in self.folder.exported:
            self.work.made(path)
        self.model = None  # the ONNX file holds it from here on
        del model
        gc.collect()

    def pack(self, record: dict[str, Any]) -> None:
        """Code the ONNX file."""
        packed = self.folder.packed
        self.shipping.pack(self.folder.plain, packed)
        self.work.made(packed)
        record["size_bytes"] = packed.stat().st_size

    def check(self, record: dict[str, Any]) -> None:
        """Load the file that ships, compare it with torch, and measure it."""
        session = load(self.folder.packed)
        inputs, outputs = self.work.load_arrays("inputs"), self.work.load_arrays("outputs")
        found = session.run({given.name: inputs[str(i)] for i, given in enumerate(session.inputs)})
        differences = [
            difference(found[o.name], outputs[str(i)]) for i, o in enumerate(session.outputs)
        ]
        record |= asdict(max(differences, key=lambda output: output.max_rel))
        if self.data is not None:
            right = accuracy.top1(
                session, self.data.test, self.data.preprocessing, progress=self._tell
            )
            record["accuracy"] = {"test": right / len(self.data.test)}

    def _used(self) -> dict[str, Any]:
        return used.used(
            self.recipe,
            self.subject,
            self.source,
            self.data,
            device=str(self.device),
            digests={
                "weights_sha256": self.folder.begun.weights,
                "data_sha256": self.folder.begun.data,
            },
        )

    @property
    def _model(self) -> nn.Module:
        assert self.model is not None
        return self.model

    def _prune(self) -> tuple[PruneReport, bool]:
        """Prune, while fine-tuning where there is data to train on; was there?"""
        assert self.recipe.prune is not None
        settings, train = self.recipe.prune, self._training("prune")
        fine_tune = None
        if train is not None:

            def fine_tune(model: nn.Module, on_step: OnStep | None) -> FitReport:
                return self._fit("prune", model, train, on_step)

        _, pruned = prune(self._model, settings, fine_tune=fine_tune)
        return pruned, train is not None

    def _share(self) -> tuple[ShareReport, bool]:
        """Share weights, then train the centroids where there is data to train on; was there?

        For a size of the file nothing is trained: centroids are rounded to be small.
        """
        if self.recipe.budget is not None:
            return self._share_to_size(self.recipe.budget), False
        assert self.recipe.quantize is not None
        _, shared = share(self._model, self.recipe.quantize, seed=self.recipe.seed)
        train = self._training("share")
        if train is not None:
            self._fit("share", self._model, train, None)
        return shared, train is not None

    def _share_to_size(self, settings: BudgetSettings) -> ShareReport:
        data, samples = self.data, None
        if data is not None and data.train is not None:
            chosen = used.calibration(self.recipe, data)
            assert chosen is not None
            samples = torch.from_numpy(data.preprocessing(data.train.images(chosen)))
        elif settings.compensated or settings.corrected:
            _LOG.warning(
                "no training samples (--task with a training part): "
                "neither errors nor biases are corrected"
            )
        model, inputs = self._model.cpu(), self.shipping.inputs()
        n_outputs = len(examples.outputs_of(model, inputs))
        wanted, tries = settings.target_bytes, itertools.count(1)
        self.notify.note(f"looks for weights whose file takes at most {wanted:,} B")

        def file_bytes(changed: nn.Module) -> int:
            n_bytes = self.shipping.n_bytes(changed, inputs, n_outputs)
            self.notify.note(f"try {next(tries)} takes {n_bytes:,} B", often=True)
            return n_bytes

        _, shared = share_to_size(
            model,
            settings,
            file_bytes=file_bytes,
            samples=samples,
            seed=self.recipe.seed,
        )
        for note in shared.notes:
            _LOG.warning("%s", note)
        if shared.uncompensated:
            _LOG.warning(
                "errors do not cancel in %d of %d layers: the report names them",
                len(shared.uncompensated), len(shared.layers),
            )  # fmt: skip
        return shared

    def _recover(self, done: list[str], stage: str) -> None:
        """Bring the model to where the stages that are done left it, after a resume."""
        if not done or stage in ("pack", "check") or self.reached == done[-1]:
            return
        saved = [name for name in done if self.work.path(f"{name}.model.safetensors").is_file()]
        if saved:
            model = self._built()
            state = self.work.load_arrays(f"{saved[-1]}.model")
            checkpoint.restore(model, {key: torch.from_numpy(held) for key, held in state.items()})
        else:
            model = self._dense_model()
        self.model = model
        # What was not trained is computed again: it gives the same, in seconds, though sharing
        # for a size takes minutes.
        for name in done[done.index(saved[-1]) + 1 if saved else 1 :]:
            {"prune": self._prune, "share": self._share}[name]()

    def _built(self) -> nn.Module:
        return dense.seeded(self.subject.build, self.recipe.seed)

    def _dense_model(self) -> nn.Module:
        model = self.model = self._built()
        self._check_targets(model)
        if self.data is not None:
            examples.require_scores(model, self.subject, self.data)
        match self.source:
            case "random":
                pass
            case "pretrained":
                with redirect_stdout(io.StringIO()):  # torchvision prints where it downloads from
                    self.subject.load_pretrained(model)
            case "trained":
                self._train_baseline(model)
            case Path(suffix=".net") as path:
                published.load_net(path, model, self.subject.name)
            case path:
                dense.weights_file(path, model)
        return model

    def _check_targets(self, model: nn.Module) -> None:
        """Tell a name that no layer has before there is any training."""
        weights, _ = weights_of(model)
        if self.recipe.prune is not None:
            self.recipe.prune.sparsity.resolve(weights)
        if self.recipe.quantize is not None:
            self.recipe.quantize.bits.resolve(weights)

    def _train_baseline(self, model: nn.Module) -> None:
        data = self.data
        assert data is not None
        if data.train is None:
            raise SettingsError(
                f"task {data.task.name} has no training part to train {self.subject.name} on; "
                "use --weights pretrained|random|FILE"
            )
        settings = used.baseline(self.recipe, data, self.subject.name)
        file = dense.baseline_file(
            self.subject, data, settings, self.recipe.seed, model=model, device=self.device
        )
        dense.trained(file, model, lambda: self._fit("dense", model, settings, None))

    def _training(self, stage: used.After) -> TrainSettings | None:
        """Return how a pass is followed by training, or None where it is not."""
        return used.after(stage, self.recipe, self.data, self.subject.name)

    def _fit(
        self, stage: str, model: nn.Module, settings: TrainSettings, on_step: OnStep | None
    ) -> FitReport:
        assert self.data is not None
        assert self.data.train is not None
        train = self.data.train
        self.notify.training(told(stage, self.subject.name, settings, len(train)))
        return fit(
            model,
            settings,
            train=train,
            validation=self.data.validation,
            preprocessing=self.data.preprocessing,
            augmentation=self.data.task.augmentation,
            seed=self.recipe.seed,
            device=self.device,
            checkpoint=self.work.path(f"{stage}.fit"),
            on_step=on_step,
            progress=self.notify.step,
        )

    def _finish_pass(
        self, stage: str, record: dict[str, Any], done: PruneReport | ShareReport, trained: bool
    ) -> None:
        """Keep what training made, and measure the step."""
        model = self._model
        if trained:
            state = checkpoint.snapshot(model)
            self.work.save_arrays(
                f"{stage}.model", {key: held.numpy() for key, held in state.items()}
            )
        record["skipped"] = {skipped.name: skipped.reason for skipped in done.skipped}
        if isinstance(done, ShareReport):
            record["uncompensated"] = list(done.uncompensated)
            record["notes"] = list(done.notes)
        floats = {t.data_ptr(): t for t in model.state_dict().values() if t.is_floating_point()}
        record["size_bytes"] = size.packed_bytes(t.cpu().float().numpy() for t in floats.values())
        self._measure(model, record, test=False)

    def _measure(self, model: nn.Module, record: dict[str, Any], *, test: bool) -> None:
        """Measure on the validation part, and on the test part only what is compared with it."""
        if self.data is None:
            return
        parts = {"validation": self.data.validation, "test": self.data.test if test else None}
        record["accuracy"] = {
            part: torch_accuracy(model, samples, self.data.preprocessing, device=self.device)
            for part, samples in parts.items()
            if samples is not None
        }

    def _tell(self, done: int, total: int) -> None:
        self.notify.step(done, total, {})


def _device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device cuda is not available here; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _histograms(model: nn.Module) -> dict[str, Any]:
    """Count the values of the largest weights."""
    weights = sorted(weights_of(model)[0], key=lambda weight: -weight.parameter.numel())
    return {w.name: asdict(histogram(w.values())) for w in weights[:MAX_HISTOGRAMS]}

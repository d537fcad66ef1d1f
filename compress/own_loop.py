"""Passes for a training loop of one's own: in place, on a module that stays what it was.

compress.prune(model, 0.8)
compress.share(model, "5bit")
keep = compress.constraints(model)
optimizer = torch.optim.Adam(keep.trained_parameters(model))
...
loss.backward()
keep.collect_gradients(model)
optimizer.step()
keep.apply(model)
...
compress.save(model, (x,), "net.safetensors")
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress import files
from compress import recipe as recipes
from compress.artifact import container, convert
from compress.artifact.settings import Coder
from compress.constrained import Constraints, constraints_of
from compress.errors import DataError, require
from compress.export.onnx import export
from compress.export.outputs import numbered, outputs_of
from compress.export.settings import OnnxSettings
from compress.measure.parity import Difference, difference
from compress.passes.context import Context, Passed
from compress.passes.network import Samples
from compress.passes.samples import count, rows
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.table import PASSES, Pass
from compress.passes.torch_network import TorchNetwork
from compress.preprocess import Preprocessing
from compress.runtime import load

Given = Tensor | NDArray[Any]  # what a network takes: a row for each sample

_PRUNE, _SHARE = ({row.name: row for row in PASSES}[name] for name in ("prune", "quantize"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A file that was written, and what it was checked by."""

    path: Path
    n_bytes: int  #: of the file, everything included
    dense_bytes: int  #: of the model's state as it is in torch
    max_abs: float  #: the largest difference of ONNX Runtime's outputs from torch's
    max_rel: float  #: relative to the largest magnitude of that output

    @property
    def ratio(self) -> float:
        """How many times smaller than the model's state the file is."""
        return self.dense_bytes / self.n_bytes


def prune(
    model: nn.Module,
    sparsity: float | str | PruneSettings,
    *,
    calibration: Given | Sequence[Given] | None = None,
    scores: bool = True,
    seed: int = 0,
    **options: Any,  # noqa: ANN401  (the fields of the settings)
) -> Passed:
    """Set the smallest weights to zero, at once; `constraints` keeps them there.

    Called again with a higher sparsity it prunes further; what is zero stays zero.

    Args:
        model: changed in place, on any device.
        sparsity: as `--prune` takes it: 0.9, 2:4, or conv=0.6,fc=0.92, or settings.
        calibration: samples of what the model takes, an array or tensor for each input, on which
            what is left makes up for what is pruned, where no training follows; a few hundred,
            without labels.
        scores: outputs of two axes are scores of classes, and are compared as such.
        seed: of the samples' order.
        options: other fields of `PruneSettings`, such as scope="global".

    Raises:
        SettingsError: when a setting is none, or its layer is none of the model's.
    """
    context = Context(seed=seed, samples=_samples(calibration, seed), scores=scores)
    return _passed(_PRUNE, model, _settings(_PRUNE, sparsity, options), context)


def share(
    model: nn.Module,
    bits: int | str | QuantizeSettings,
    *,
    calibration: Given | Sequence[Given] | None = None,
    scores: bool = True,
    seed: int = 0,
    **options: Any,  # noqa: ANN401  (the fields of the settings)
) -> Passed:
    """Let the weights of each layer share few values; `constraints` trains these from then on.

    An optimizer has to be made anew, of `constraints(model).trained_parameters(model)`: it is the
    shared values that it trains now.

    Args:
        model: changed in place, on any device.
        bits: as `--quantize` takes them: 5, 5bit, or conv=8,fc=5, or settings.
        calibration: samples of what the model takes, an array or tensor for each input, on which
            errors are made to cancel; a few hundred, without labels. None: each weight alone.
        scores: outputs of two axes are scores of classes, and are compared as such.
        seed: of what is random.
        options: other fields of `QuantizeSettings`, such as init="density".

    Raises:
        SettingsError: when a setting is none, or its layer is none of the model's.
        DataError: when weights are not finite.
    """
    settings = _settings(_SHARE, bits, options)
    require(settings.bits != "auto", "bits", "given, such as 5bit: auto needs a run", "auto")
    context = Context(seed=seed, samples=_samples(calibration, seed), scores=scores)
    return _passed(_SHARE, model, settings, context)


def constraints(model: nn.Module) -> Constraints:
    """Return what training must keep of a model: its zeros and its shared values.

    Its `trained_parameters` go to the optimizer; `collect_gradients` comes between backward and the
    step, `apply` behind the step.
    """
    return constraints_of(model)


def save(
    model: nn.Module,
    inputs: Given | Sequence[Given],
    path: Path | str,
    *,
    coder: Coder = "huffman",
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] = (),
    attached: Mapping[str, bytes] | None = None,
    onnx: OnnxSettings | None = None,
    tolerance: float = 1e-3,
    force: bool = False,
) -> Saved:
    """Write a model as a compressed file, and compare ONNX Runtime's outputs of it with torch's.

    The model stays as it is, in its mode and on its device.

    Args:
        model: to be exported.
        inputs: an example of each input, batch first; any batch may be run later.
        path: of the file, NAME.safetensors; an earlier compressed file gives way.
        coder: huffman, or best: smaller, and slower to open.
        input_names: by default input, or input_0, input_1 and so on.
        output_names: by default output, or output_0, output_1 and so on.
        preprocessing: of images, told in the file.
        labels: names of the classes, told in the file.
        attached: files that go with the network (a tokenizer.json), by name.
        onnx: how it is exported; a batch that may not vary is `OnnxSettings(dynamic_batch=False)`.
        tolerance: of the outputs, relative to the largest magnitude of each.
        force: let any file that is there give way.

    Raises:
        UnsupportedLayerError: when torch cannot export the model.
        DataError: when ONNX Runtime's outputs differ from torch's; nothing is written then.
        OutputError: when the file cannot be written, or is another's.
    """
    path = Path(path)
    require(path.suffix == ".safetensors", "path", "a name that ends in .safetensors", str(path))
    over = files.anything if force else container.is_packed
    files.guard(path, over=over)
    settings = onnx or OnnxSettings()
    examples = [torch.from_numpy(array) for array in _arrays(inputs)]
    if settings.dynamic_batch and {len(example) for example in examples} == {1}:
        examples = [torch.cat([example, example]) for example in examples]  # 1 is no batch to torch
    names = list(input_names or numbered("input", len(examples)))
    require(len(names) == len(examples), "input_names", f"{len(examples)} names", names)
    constraints_of(model).apply(model)
    facts: dict[str, Any] = {"model": path.stem}
    facts |= {} if preprocessing is None else {"preprocessing": preprocessing.to_json()}
    facts |= {"labels": list(labels)} if labels else {}
    with tempfile.TemporaryDirectory() as folder, _evaluating(model), _on_cpu(model):
        plain, packed = Path(folder) / f"{path.stem}.onnx", Path(folder) / path.name
        expected = outputs_of(model, examples)
        export(
            model,
            examples,
            plain,
            settings,
            input_names=names,
            output_names=output_names or numbered("output", len(expected)),
            facts=facts,
        )
        convert.pack(plain, packed, {"model": path.stem}, coder=coder, attached=attached)
        apart = _compared(packed, dict(zip(names, examples, strict=True)), expected, tolerance)
        with packed.open("rb") as source, files.writing(path, over=over) as target:
            shutil.copyfileobj(source, target)
        held = {t.data_ptr(): t.nbytes for t in model.state_dict().values()}
    return Saved(
        path=path,
        n_bytes=path.stat().st_size,
        dense_bytes=sum(held.values()),
        max_abs=apart.max_abs,
        max_rel=apart.max_rel,
    )


def _settings(row: Pass, given: Any, options: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the settings of a pass, from what its option takes and from other fields."""
    own = recipes.section_of(given) if isinstance(given, row.settings) else {row.short: str(given)}
    settings = recipes.section(row, {**own, **options})
    train = getattr(settings, "train", None)
    require(train is None, "train", "left out, since the loop is one's own", train)
    return settings


def _passed(row: Pass, model: nn.Module, settings: object, context: Context) -> Passed:
    """Run a pass on a model, whose mode stays as it is."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with _evaluating(model):
        return row.function()(TorchNetwork(model, device), settings, context)


def _samples(
    calibration: Given | Sequence[Given] | None, seed: int
) -> Callable[[int], Samples] | None:
    """Return what gives so many samples; raise `DataError` where they are not finite."""
    if calibration is None:
        return None
    arrays = _arrays(calibration)
    if not all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f"):
        raise DataError("calibration must hold finite numbers")
    return _drawn(arrays, seed)


def _arrays(given: Given | Sequence[Given]) -> Samples:
    """Return an array for each input."""
    several = [given] if isinstance(given, Tensor | np.ndarray) else list(given)
    for held in several:
        is_brain = isinstance(held, Tensor) and held.dtype == torch.bfloat16
        require(not is_brain, "inputs", "of a type that numpy has; take model.float()", "bfloat16")
    arrays = [
        array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        for array in several
    ]
    rows_of = {len(array) if array.ndim else 0 for array in arrays}
    fit = len(rows_of) == 1 and 0 not in rows_of
    shapes = ", ".join(str(array.shape) for array in arrays)
    require(fit, "inputs", "arrays of as many rows, at least one", shapes)
    return tuple(a.astype(np.float32) if a.dtype == np.float64 else a for a in arrays)


def _drawn(samples: Samples, seed: int) -> Callable[[int], Samples]:
    """Return what gives so many samples, the first of a random order."""
    order = np.random.default_rng(seed).permutation(count(samples))
    return lambda n: rows(samples, order[:n])


def _compared(
    packed: Path, examples: Mapping[str, Tensor], expected: Sequence[NDArray[Any]], tolerance: float
) -> Difference:
    """Run a compressed file and return its largest difference; raise where that is too large."""
    session = load(packed)
    found = session.run({value.name: examples[value.name].numpy() for value in session.inputs})
    worst = Difference(0.0, 0.0)
    for value, wanted in zip(session.outputs, expected, strict=True):
        apart = difference(found[value.name], wanted)
        if not apart.max_rel <= tolerance:
            raise DataError(
                f"{packed.name} is not written: ONNX Runtime's {value.name} differs from torch's "
                f"by {apart.max_rel:.1e} of the largest, more than the {tolerance:.0e} allowed"
            )
        worst = max(worst, apart, key=lambda one: one.max_rel)
    return worst


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its modules back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _on_cpu(model: nn.Module) -> Iterator[None]:
    """Have a model on the CPU for a while; its parameters stay the same objects."""
    devices = {held.device for held in (*model.parameters(), *model.buffers())}
    require(len(devices) <= 1, "model", "on one device", sorted(map(str, devices)))
    model.cpu()
    try:
        yield
    finally:
        for device in devices:
            model.to(device)

"""Compress a named network to a file that ships, and load it without torch.

report = compress.run({"model": "lenet-5", "task": "mnist", "prune": 0.92, "quantize": "5bit"})
compress.pack("model.onnx", "model.packed.safetensors")
compress.unpack("model.packed.safetensors", "again.onnx")
session = compress.runtime.load("model.packed.safetensors")

In a training loop of one's own, see `compress.own_loop`: `prune`, `share`, `constraints`, `save`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.errors import CompressError

# ONNX Runtime, from 1.29 on, writes a device's number into the home and calls its maker. It reads
# this when it is imported, by us or by a library that we use: here is what they all pass.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from compress import runtime, tasks
    from compress.own_loop import constraints, prune, save, share
    from compress.recipe import Recipe
    from compress.report.data import Report
    from compress.tasks import Task

__version__ = "0.1.0"

__all__ = [
    "CompressError",
    "constraints",
    "pack",
    "prune",
    "run",
    "runtime",
    "save",
    "share",
    "tasks",
    "unpack",
]

_LATER = {  # what is imported when it is asked for: a module, or a function of one
    "constraints": "compress.own_loop",
    "prune": "compress.own_loop",
    "runtime": "compress.runtime",
    "save": "compress.own_loop",
    "share": "compress.own_loop",
    "tasks": "compress.tasks",
}


def run(
    recipe: Recipe | Mapping[str, Any],
    out: Path | str | None = None,
    *,
    model: nn.Module | None = None,
    examples: Sequence[Tensor] = (),
    task: Task | None = None,
    calibration: Sequence[NDArray[Any]] | None = None,
    resume: bool = False,
    force: bool = False,
) -> Report:
    """Take a network to a compressed file, as `compress run` does.

    Args:
        recipe: the settings; a mapping takes the values that the command line takes.
        out: folder of the results, by default runs/NAME.
        model: a network in place of one that the recipe names; it stays as it is.
        examples: of the model's inputs, batch first; by default those of the task's samples.
        task: data, loss and metric in place of those that the recipe names.
        calibration: samples without labels, an array for each input with a row for each sample.
        resume: go on with a run that was ended early, or read the report of one that is done.
        force: begin anew over an earlier run, whose files are replaced.

    Raises:
        CompressError: what went wrong, in one line.
    """
    from compress.pipeline.named import folder_of, given
    from compress.pipeline.run import run as run_stages
    from compress.tasks.calibration import of_arrays

    chosen, subject, data = given(recipe, model, examples, task)
    return run_stages(
        chosen,
        subject,
        folder_of(subject, out),
        task=data,
        calibration=None if calibration is None else of_arrays(calibration, subject.takes),
        resume=resume,
        force=force,
    )


def pack(source: Path | str, target: Path | str, *, force: bool = False) -> None:
    """Pack an ONNX model, or a safetensors file of weights, losslessly.

    Args:
        source: the model.
        target: the compressed file; an earlier one gives way.
        force: let any file that is there give way.
    """
    from compress.artifact import convert

    convert.pack(Path(source), Path(target), force=force)


def unpack(source: Path | str, target: Path | str | None = None, *, force: bool = False) -> Path:
    """Write the model that a compressed file holds, bit for bit, and return where.

    Args:
        source: the compressed file.
        target: the model, by default NAME.unpacked.onnx or NAME.unpacked.safetensors beside it.
        force: let a file that is there give way, even if its bytes are others.
    """
    from compress.artifact import convert

    return convert.unpack(Path(source), None if target is None else Path(target), force=force)


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a module or a function)
    if name not in _LATER:
        raise AttributeError(f"module 'compress' has no attribute {name!r}")
    module = import_module(_LATER[name])
    return module if module.__name__ == f"compress.{name}" else getattr(module, name)

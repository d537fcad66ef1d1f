"""A reference's network as a file: built, run, exported and run again by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.pipeline.made_up import made_up
from compress.references import Subject, Torch
from compress.tasks.outputs import all_of

_TOLERANCE = 1e-3


class Classes:
    """A task of so many classes; nothing else is asked of it."""

    def __init__(self, count: int) -> None:
        self.classes = tuple(map(str, range(count)))


def built(subject: Subject, task: Any = None) -> nn.Module:
    """Build a network at a seed."""
    assert isinstance(subject.source, Torch)
    torch.manual_seed(0)
    return subject.source.build(task)


def check(subject: Subject, model: nn.Module, folder: Path) -> list[tuple[int, ...]]:
    """Compare the exported file with torch on another batch; return the outputs' shapes."""
    assert not model.training
    inputs = made_up(subject.inputs, 3, 0)  # the graph is made from two
    with torch.inference_mode():
        wanted = [held.numpy() for held in all_of(model(*map(torch.from_numpy, inputs)))]
    names = [given.name for given in subject.inputs]
    export(
        model,
        [torch.from_numpy(array[:2]) for array in inputs],
        folder / "model.onnx",
        OnnxSettings(),
        input_names=names,
        output_names=[f"output_{place}" for place in range(len(wanted))],
    )
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    found = session.run(None, dict(zip(names, inputs, strict=True)))
    for left, right in zip(found, wanted, strict=True):
        assert np.abs(left - right).max() <= _TOLERANCE * np.abs(right).max()
    return [held.shape for held in wanted]

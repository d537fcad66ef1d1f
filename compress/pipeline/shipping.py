"""How a run's network becomes a file: exported with the subject's names, packed with its facts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from compress.artifact import convert
from compress.export.onnx import export
from compress.pipeline import examples
from compress.pipeline.dense import Source
from compress.pipeline.subject import Data, Subject
from compress.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Shipping:
    """What decides the file beside the network's weights."""

    recipe: Recipe
    subject: Subject
    source: Source
    data: Data | None

    def inputs(self) -> list[NDArray[Any]]:
        """Return an example of each input, batch first."""
        return examples.inputs_of(self.subject, self.data, self.recipe.seed)

    def export(
        self, model: nn.Module, inputs: Sequence[NDArray[Any]], n_outputs: int, path: Path
    ) -> None:
        """Write a network on the CPU as ONNX.

        Args:
            model: the network.
            inputs: what `inputs` returned.
            n_outputs: tensors that it gives.
            path: the file.
        """
        fixed = {"dynamic_batch": False} if self.subject.batch is not None else {}
        export(
            model,
            [torch.from_numpy(array) for array in inputs],
            path,
            replace(self.recipe.onnx, **fixed),
            input_names=[given.name for given in self.subject.inputs],
            output_names=examples.output_names(n_outputs),
            facts=self._facts(),
        )

    def pack(self, plain: Path, packed: Path) -> None:
        """Code an ONNX file; what the device has to know is in its graph already."""
        facts = {"model": self.subject.name}
        attached = self.subject.attached() if self.source == "pretrained" else {}
        convert.pack(
            plain, packed, facts, coder=self.recipe.coder, attached=attached, force=True
        )  # the run's folder was looked through before it began

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"model": self.subject.name}
        if self.data is not None:
            facts |= self.data.facts | {"task": self.data.task.name}
        return facts

    def n_bytes(self, model: nn.Module, inputs: Sequence[NDArray[Any]], n_outputs: int) -> int:
        """Return the size of the file that a network would make."""
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / f"{self.subject.name}.onnx"
            packed = plain.with_suffix(".safetensors")
            self.export(model, inputs, n_outputs, plain)
            self.pack(plain, packed)
            return packed.stat().st_size

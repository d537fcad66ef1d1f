"""A run's network that is an ONNX file: its graph stays byte for byte but for the weights."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from compress import limits
from compress.artifact import convert, model
from compress.artifact.editable import FLOATS
from compress.errors import DataError, FormatError, SettingsError, UnsupportedLayerError
from compress.measure.sessions import figures_of_session
from compress.passes.context import OnStep
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.settings import DistillSettings
from compress.pipeline.data import Data
from compress.pipeline.weights import Source
from compress.pipeline.working import Arrays, Progress, Step, Working
from compress.recipe import Recipe
from compress.references.subject import Onnx, Subject
from compress.tasks import Metric, Samples
from compress.tasks.metric import Figures
from compress.training.settings import TrainSettings


@dataclass(slots=True)
class OnnxWorking:
    """A file, and what decides the compressed one beside its weights."""

    network: OnnxNetwork
    subject: Subject
    recipe: Recipe
    data: Data | None

    @classmethod
    def open(cls, subject: Subject, recipe: Recipe, data: Data | None) -> OnnxWorking:
        """Open the file that the subject is.

        Raises:
            DataError: when it cannot be read.
        """
        assert isinstance(subject.source, Onnx)
        return cls(OnnxNetwork(subject.source.path), subject, recipe, data)

    @property
    def params(self) -> int:
        """Floats of all tensors."""
        return sum(count for count, _ in self._floats())

    @property
    def n_bytes(self) -> int:
        """Bytes of all tensors of floats."""
        return sum(count * width for count, width in self._floats())

    def load(self, source: Source) -> None:
        """Keep the weights that the file has."""
        assert source == "given"

    def digest(self, inputs: Arrays) -> str:
        """Digest the file, and those beside it."""
        return self.network.model.sha256()

    def machine(self) -> list[Any]:
        """Return what decides in which order floats are summed."""
        return [platform.machine(), platform.processor(), limits.cores()]

    def state(self) -> bytes:
        """Return what was changed."""
        return safetensors.numpy.save(self.network.state())

    def restore(self, state: bytes) -> None:
        """Take over what `state` returned."""
        try:
            self.network.load_state(safetensors.numpy.load(state))
        except (safetensors.SafetensorError, FormatError) as error:
            raise DataError(f"the stored weights cannot be read: {error}") from error

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Return all outputs of the file, in their order."""
        session = self.network.session()
        names = [given.name for given in session.inputs]
        if len(names) != len(inputs):
            raise DataError(f"{self.subject.name} takes {len(names)} inputs, got {len(inputs)}")
        try:
            found = session.run(dict(zip(names, inputs, strict=True)))
        except DataError as error:
            raise DataError(
                f"{self.subject.name}: {error}; --input says sizes that the file leaves open, and "
                "--calibration FILE.npz gives whole inputs"
            ) from error
        for name, value in found.items():
            if not isinstance(value, np.ndarray) or value.dtype == object:
                raise UnsupportedLayerError(
                    f"{self.subject.name} gives {name!r}, which is no tensor"
                )
        return list(found.values())

    def unpadded(self, samples: Samples) -> Samples:
        """Return the samples: a file takes what it was made for."""
        return samples

    def figures(self, metric: Metric, samples: Samples, progress: Progress) -> Figures:
        """Return a metric's figures of samples, a row each."""
        assert self.data is not None
        return figures_of_session(
            self.network.session(), self.data.task, samples, progress=progress
        )

    def learn_from(self, teacher: Working, settings: DistillSettings, key: str) -> None:
        """Refuse: a file is not trained."""
        raise SettingsError(f"distill must be left out: {self.subject.name} is a file")

    def fit(
        self, settings: TrainSettings, *, checkpoint: Path, on_step: OnStep | None, progress: Step
    ) -> None:
        """Refuse to train: there are no gradients here."""
        raise SettingsError(
            f"{self.subject.name} is an ONNX file, which is not trained; leave out training, "
            "or give the network that it was exported from"
        )

    def export(self, path: Path, inputs: Arrays) -> None:
        """Write the file with the weights as they are now."""
        self.network.model.write(path)

    def pack(self, plain: Path, packed: Path, *, proves: bool = True) -> None:
        """Code a file that `export` wrote; what the task tells stands beside its graph."""
        convert.pack(
            plain,
            packed,
            {"model": self.subject.name, **(self.data.facts if self.data is not None else {})},
            coder=self.recipe.coder,
            attached=self.subject.attached(),
            force=True,  # the run's folder was looked through before it began
            proves=proves,
        )

    def file_bytes(self, inputs: Arrays) -> int:
        """Return the size of the file that the network would make as it is."""
        with tempfile.TemporaryDirectory() as folder:
            plain, packed = Path(folder) / "network.onnx", Path(folder) / "packed"
            self.export(plain, inputs)
            self.pack(plain, packed, proves=False)
            return packed.stat().st_size

    def close(self) -> None:
        """Do nothing: no size is kept."""

    def _floats(self) -> list[tuple[int, int]]:
        """Return numbers and bytes of each number, by tensor of floats."""
        return [
            (int(prod(tensor.dims)), FLOATS[tensor.data_type].itemsize)
            for tensor in model.tensors(self.network.model.proto)
            if tensor.data_type in FLOATS and min(tensor.dims, default=1) > 0
        ]

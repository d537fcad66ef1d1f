"""The network of a run while it is worked on: of torch, or an ONNX file. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from compress.passes.context import OnStep
from compress.passes.network import Network
from compress.passes.settings import DistillSettings
from compress.pipeline.weights import Source
from compress.tasks import Metric, Samples
from compress.tasks.metric import Figures
from compress.training.settings import TrainSettings

Arrays = Sequence[NDArray[Any]]
Progress = Callable[[int, int], None]
Step = Callable[[int, int, Mapping[str, float]], None]


class Working(Protocol):
    """What the runner asks of a network."""

    @property
    def network(self) -> Network:
        """The network as passes see it."""

    @property
    def params(self) -> int:
        """Parameters, each once."""

    @property
    def n_bytes(self) -> int:
        """Bytes of all that it holds."""

    def load(self, source: Source) -> None:
        """Load the weights that a run begins with; trained ones are no matter of this."""

    def digest(self, inputs: Arrays) -> str:
        """Digest the weights, and what is computed with them.

        Args:
            inputs: examples, batch first.
        """

    def machine(self) -> list[Any]:
        """Return what decides in which order its floats are summed, as JSON's types."""

    def state(self) -> bytes:
        """Return weights and what later steps must keep of them."""

    def restore(self, state: bytes) -> None:
        """Take over what `state` returned; raise `DataError` where it is another network's."""

    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Return all tensors that the network gives, in the order of the file's outputs."""

    def unpadded(self, samples: Samples) -> Samples:
        """Return samples of the task with no more padding than the network needs."""

    def figures(self, metric: Metric, samples: Samples, progress: Progress) -> Figures:
        """Return a metric's figures of samples, a row each."""

    def learn_from(self, teacher: Working, settings: DistillSettings, key: str) -> None:
        """Be taught in all trainings from now on.

        Args:
            teacher: by which network; it may be this one, as it is now.
            settings: how.
            key: of both.
        """

    def fit(
        self, settings: TrainSettings, *, checkpoint: Path, on_step: OnStep | None, progress: Step
    ) -> None:
        """Train in place on the task's training part."""

    def export(self, path: Path, inputs: Arrays) -> None:
        """Write the network as ONNX.

        Args:
            path: the file.
            inputs: examples, batch first.
        """

    def pack(self, plain: Path, packed: Path, *, proves: bool = True) -> None:
        """Code an ONNX file that `export` wrote.

        Args:
            plain: that file.
            packed: the compressed one.
            proves: make sure that it comes back; not where its size is all that is asked.
        """

    def file_bytes(self, inputs: Arrays) -> int:
        """Return the size of the file that the network would make as it is."""

    def close(self) -> None:
        """Remove what `file_bytes` keeps from one call to the next."""

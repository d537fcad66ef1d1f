"""A run's network that is a module of torch."""

from __future__ import annotations

import copy
import hashlib
import io
import os
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import nn

from compress.artifact import convert
from compress.errors import DataError, SettingsError
from compress.export.onnx import export
from compress.export.outputs import numbered, outputs_of
from compress.passes.context import OnStep
from compress.passes.settings import DistillSettings
from compress.passes.torch_network import TorchNetwork
from compress.pipeline import published, weights
from compress.pipeline.data import Data
from compress.pipeline.sizes import Sizes
from compress.pipeline.weights import Source
from compress.pipeline.working import Arrays, Progress, Step, Working
from compress.recipe import Recipe
from compress.references.subject import Subject, Torch
from compress.tasks import Metric, Samples
from compress.tasks.content import code_of, digest_of
from compress.tasks.metric import Figures
from compress.training import checkpoint as checkpoints
from compress.training import evaluate
from compress.training.data import Batches
from compress.training.fit import fit
from compress.training.padding import unpadded
from compress.training.settings import TrainSettings
from compress.training.teacher import Teacher


@dataclass(slots=True)
class TorchWorking:
    """A module, and what decides the file beside its weights."""

    model: nn.Module
    subject: Subject
    recipe: Recipe
    data: Data | None
    device: torch.device
    _sizes: Sizes | None = field(default=None, init=False)
    _teacher: Teacher | None = field(default=None, init=False)

    @classmethod
    def build(cls, subject: Subject, recipe: Recipe, data: Data | None) -> TorchWorking:
        """Build a network whose random weights follow from the seed alone."""
        assert isinstance(subject.source, Torch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = subject.source.build(data.task if data is not None else None)
        return cls(model, subject, recipe, data, _device(recipe.device))

    @property
    def network(self) -> TorchNetwork:
        """The network as passes see it."""
        return TorchNetwork(self.model, next(iter(self.model.parameters())).device)

    @property
    def params(self) -> int:
        """Parameters, each once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def n_bytes(self) -> int:
        """Bytes of all that it holds, each once."""
        state = self.model.state_dict().values()
        return sum(held.nbytes for held in {held.data_ptr(): held for held in state}.values())

    def load(self, source: Source) -> None:
        """Load the weights that a run begins with; trained ones are no matter of this."""
        network = self.subject.source
        assert isinstance(network, Torch)
        match source:
            case "random" | "given":
                pass
            case "trained":
                if network.load_backbone is not None:
                    network.load_backbone(self.model)
            case "pretrained":
                if network.load_pretrained is None:
                    raise SettingsError(
                        f"{self.subject.name} has no published weights; use --weights random|FILE"
                    )
                with redirect_stdout(io.StringIO()):  # torchvision prints where it downloads from
                    network.load_pretrained(self.model)
            case Path(suffix=".net") as path:
                published.load_net(path, self.model, self.subject.name)
            case path:
                weights.load_file(path, self.model)

    def digest(self, inputs: Arrays) -> str:
        """Digest weights and layers, and what the network makes of examples.

        The last, and the code of classes that are not torch's, tell apart what only a forward pass
        does.
        """
        digest = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", repr(self.model)).encode())
        classes = {type(module) for module in self.model.modules()}
        own = (code_of(cls) for cls in classes if cls.__module__.partition(".")[0] != "torch")
        digest.update(repr(sorted(own)).encode())
        for name, tensor in self.model.state_dict().items():
            plain = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
            digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(plain.numpy().data)
        digest.update(digest_of(self.run(inputs)).encode())
        return digest.hexdigest()

    def machine(self) -> list[Any]:
        """Return what decides in which order floats are summed."""
        processes = os.environ.get("WORLD_SIZE", "1")  # of torchrun
        if self.device.type == "cuda":
            return [processes, torch.cuda.get_device_name(self.device)]
        return [processes, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]

    def state(self) -> bytes:
        """Return parameters, buffers and constraints."""
        return safetensors.torch.save(checkpoints.snapshot(self.model))

    def restore(self, state: bytes) -> None:
        """Take over what `state` returned."""
        try:
            checkpoints.restore(self.model, safetensors.torch.load(state))
        except safetensors.SafetensorError as error:
            raise DataError(f"the stored weights cannot be read: {error}") from error

    @torch.inference_mode()
    def run(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Return all tensors of what the network returns, in the order of the file's outputs."""
        return outputs_of(self.model.eval().cpu(), [torch.from_numpy(array) for array in inputs])

    def unpadded(self, samples: Samples) -> Samples:
        """Return samples with no more padding than the network needs."""
        assert self.data is not None
        return unpadded(samples, self.model, self.data.task)

    def figures(self, metric: Metric, samples: Samples, progress: Progress) -> Figures:
        """Return a metric's figures of samples, a row each."""
        batches = Batches(self.unpadded(samples))
        order = evaluate.order_of(batches)
        model = self.model.to(self.device)
        return evaluate.figures(model, metric, batches, order, self.device, progress)

    def learn_from(self, teacher: Working, settings: DistillSettings, key: str) -> None:
        """Be taught in all trainings from now on; its own teacher stays as it is now."""
        if not isinstance(teacher, TorchWorking):
            raise SettingsError("distill must be a network of torch, and the teacher is a file")
        model = copy.deepcopy(teacher.model) if teacher is self else teacher.model
        self._teacher = Teacher(model, settings.share, settings.temperature, key)

    def fit(
        self, settings: TrainSettings, *, checkpoint: Path, on_step: OnStep | None, progress: Step
    ) -> None:
        """Train in place on the task's training part."""
        assert self.data is not None
        assert self.data.train is not None
        fit(
            self.model,
            settings,
            task=self.data.task,
            train=self.data.train,
            validation=self.data.validation,
            seed=self.recipe.seed,
            device=self.device,
            checkpoint=checkpoint,
            teacher=self._teacher,
            on_step=on_step,
            progress=progress,
        )

    def export(self, path: Path, inputs: Arrays) -> None:
        """Write the network as ONNX; what the device has to know is in its graph."""
        model = self.model.cpu()
        count = len(self.run(inputs))
        fixed: Mapping[str, Literal[False]] = {}
        if self.subject.batch is not None:
            fixed = {"dynamic_batch": False}
        export(
            model,
            [torch.from_numpy(array) for array in inputs],
            path,
            replace(self.recipe.onnx, **fixed),
            input_names=[given.name for given in self.subject.inputs],
            output_names=numbered("output", count),
            facts={
                "model": self.subject.name,
                **(self.data.facts if self.data is not None else {}),
            },
        )

    def pack(self, plain: Path, packed: Path, *, proves: bool = True) -> None:
        """Code an ONNX file that `export` wrote."""
        convert.pack(
            plain,
            packed,
            {"model": self.subject.name},
            coder=self.recipe.coder,
            attached=self.subject.attached(),
            force=True,  # the run's folder was looked through before it began
            proves=proves,
        )

    def file_bytes(self, inputs: Arrays) -> int:
        """Return the size of the file that the network would make as it is."""
        held = self._held()
        found = self._sizes.of(held) if self._sizes is not None else None
        if found is None:  # the first time, or where a change is not found in what was exported
            self.close()
            write = partial(self.export, inputs=inputs)
            self._sizes = Sizes(write, held, partial(self.pack, proves=False))
            found = self._sizes.of(held)
        assert found is not None
        return found

    def close(self) -> None:
        """Remove what `file_bytes` keeps from one call to the next."""
        if self._sizes is not None:
            self._sizes.close()
        self._sizes = None

    def _held(self) -> dict[str, NDArray[Any]]:
        return {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self.model.state_dict().items()
            if tensor.dtype in (torch.float16, torch.float32, torch.float64)
        }


def _device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device cuda is not available here; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)

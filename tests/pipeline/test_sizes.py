"""A file's size from one export: that of the real file, however the exporter stores weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.pipeline import torch_working
from compress.pipeline.torch_working import TorchWorking
from compress.recipe import from_mapping
from compress.references.subject import Given, Subject, Torch
from tests.export import networks


class Tied(nn.Module):
    """An embedding that is the output layer's weight, too, on numbers that stand for words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = networks.Words(tied=True)

    def forward(self, x: Tensor) -> Tensor:
        held: Tensor = self.words((x.abs() * 10).long().clamp(max=39))
        return held


class Transposed(nn.Module):
    """A product that is exported with its weight turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(20, 12))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T


MAKES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    # name: network, shape of a sample, exports of three sizes
    "conv": (networks.resnet, (3, 16, 16), 1),
    "depthwise": (networks.mobilenet, (3, 8, 8), 1),
    "linear": (networks.perceptron, (48,), 1),
    "on sequences": (lambda: nn.Linear(12, 20), (7, 12), 1),
    "transposed": (Transposed, (7, 12), 1),
    "tied": (Tied, (6,), 1),
    "lstm": (lambda: networks.Recurrent(nn.LSTM), (6, 12), 3),
}


LONG = "lstm"  # three exports of it take a quarter of a minute


@pytest.fixture(
    params=[
        pytest.param(makes, id=name, marks=[pytest.mark.slow] if name == LONG else [])
        for name, makes in MAKES.items()
    ]
)
def made(request: pytest.FixtureRequest) -> Iterator[tuple[TorchWorking, list[Any], int]]:
    make, shape, exports = request.param
    subject = Subject(name="net", source=Torch(build=lambda _: make()), inputs=(Given("x", shape),))
    with closing(TorchWorking.build(subject, from_mapping({"model": "net"}), None)) as working:
        for number, held in enumerate(working.model.state_dict().values()):
            if held.ndim == 1:
                held += (1 + torch.arange(len(held))) / (100 + number)
        yield working, [np.ones((2, *shape), np.float32)], exports


def shared(working: TorchWorking, count: int) -> None:
    """Let the weights have few values, and a vector others."""
    with torch.no_grad():
        for parameter in working.model.parameters():
            if parameter.ndim > 1:
                step = parameter.abs().max() * 2 / count
                parameter.copy_((parameter / step).round() * step)
            else:
                parameter += 0.25


def test_each_size_is_that_of_the_real_file(
    made: tuple[TorchWorking, list[Any], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, inputs, exports = made
    seen: list[Path] = []
    export = torch_working.export

    def counting(model: Any, inputs: Any, path: Path, *more: Any, **others: Any) -> None:
        seen.append(path)
        export(model, inputs, path, *more, **others)

    monkeypatch.setattr(torch_working, "export", counting)
    sizes = []
    for values in (64, 8, 2):
        shared(working, values)
        sizes.append(working.file_bytes(inputs))
    assert len(seen) == exports
    working.export(tmp_path / "net.onnx", inputs)
    working.pack(tmp_path / "net.onnx", tmp_path / "net.safetensors")
    assert sizes[-1] == (tmp_path / "net.safetensors").stat().st_size
    assert sizes == sorted(sizes, reverse=True)
    assert len({*sizes}) == 3


def test_tensors_that_were_the_same_are_told_apart() -> None:
    """The exporter keeps one of two that are the same: a change of either is not found in it."""
    net = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
    subject = Subject(name="net", source=Torch(build=lambda _: net), inputs=(Given("x", (12,)),))
    inputs = [np.ones((2, 12), np.float32)]
    with closing(TorchWorking.build(subject, from_mapping({"model": "net"}), None)) as working:
        for linear in net:
            nn.init.ones_(linear.bias)
        same = working.file_bytes(inputs)
        nn.init.normal_(net[0].bias)
        assert working.file_bytes(inputs) > same
        changed = working.file_bytes(inputs)
        working.close()
        assert working.file_bytes(inputs) == changed


def test_nothing_is_left_behind(made: tuple[TorchWorking, list[Any], int]) -> None:
    working, inputs, _ = made
    working.file_bytes(inputs)
    assert working._sizes is not None
    folder = Path(working._sizes._folder.name)
    assert [path.name for path in folder.iterdir()] == ["network.onnx"]
    working.close()
    assert not folder.exists()
    working.close()

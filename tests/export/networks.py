"""Small networks with the layers that exporters change, and what the tests ask of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions with BatchNorm beside a shorter way, as in ResNet-18."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.downsample = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))

    def forward(self, x: Tensor) -> Tensor:
        held = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(held)) + self.downsample(x))


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Residual(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def mobilenet() -> nn.Module:
    """A depthwise separable block, with and without a bias before its BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU6(),
        nn.Conv2d(24, 24, 3, padding=1, groups=24),
        nn.BatchNorm2d(24),
        nn.ReLU6(),
        nn.Conv2d(24, 12, 1, bias=False),
        nn.BatchNorm2d(12),
    )


def transposed() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(3, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3)
    )


def perceptron() -> nn.Module:
    """A Linear that a BatchNorm could be folded into."""
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.BatchNorm1d(32), nn.Linear(32, 10))


class Recurrent(nn.Module):
    """An LSTM or a GRU, and its last state."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU]) -> None:
        super().__init__()
        self.rnn = kind(12, 16, num_layers=2, batch_first=True)
        self.out = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        held: Tensor = self.out(self.rnn(x)[0][:, -1])
        return held


class Words(nn.Module):
    """An embedding; its weight is that of the output layer too, where it is tied."""

    def __init__(self, *, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 32)
        self.out = nn.Linear(32, 40)
        if tied:
            self.out.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        held: Tensor = self.out(self.embedding(words).mean(1))
        return held


def seen(model: nn.Module, example: Tensor) -> nn.Module:
    """Give each BatchNorm scales and statistics of its own, as training does."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    with torch.no_grad():
        model.train()(example)
    return model.eval()


def initializers(path: Path) -> dict[str, NDArray[Any]]:
    """Return all constants of a file by name, those of nodes included."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    found = {held.name: numpy_helper.to_array(held) for held in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                found[f"{node.name}.{attribute.name}"] = numpy_helper.to_array(attribute.t)
    return found


def in_onnxruntime(path: Path, example: NDArray[Any]) -> NDArray[np.float32]:
    """Run a file of one input and one output."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    first, *rest = session.run(None, {session.get_inputs()[0].name: example})
    assert not rest
    result: NDArray[np.float32] = first
    return result

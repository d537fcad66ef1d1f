"""The Inception network that Batch Normalization was shown on.

GoogLeNet with a BatchNorm behind every convolution, and two 3x3 convolutions in place of each
5x5.

Source: Ioffe & Szegedy 2015, arXiv:1502.03167, figure 5.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn


class Row(NamedTuple):
    """A row of the figure: the output channels of an Inception module's convolutions."""

    ones: int  #: of the 1x1 branch; 0 where there is none
    three_reduce: int
    three: int
    double_reduce: int
    double: int
    pool: Literal["avg", "max"]
    projection: int  #: behind the pooling; 0: the module has stride 2, and pooling passes through


_ROWS = {
    "inception_3a": Row(64, 64, 64, 64, 96, "avg", 32),
    "inception_3b": Row(64, 64, 96, 64, 96, "avg", 64),
    "inception_3c": Row(0, 128, 160, 64, 96, "max", 0),
    "inception_4a": Row(224, 64, 96, 96, 128, "avg", 128),
    "inception_4b": Row(192, 96, 128, 96, 128, "avg", 128),
    "inception_4c": Row(160, 128, 160, 128, 160, "avg", 96),
    "inception_4d": Row(96, 128, 192, 160, 192, "avg", 96),
    "inception_4e": Row(0, 128, 192, 192, 256, "max", 0),
    "inception_5a": Row(352, 192, 320, 160, 224, "avg", 128),
    "inception_5b": Row(352, 192, 320, 192, 224, "max", 128),
}


class ConvBN(nn.Sequential):
    """A convolution, its BatchNorm (which makes a bias idle) and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class Inception(nn.Module):
    """Up to four branches over the same input, side by side in the channels of the output."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        stride = 1 if row.projection else 2
        branches: OrderedDict[str, nn.Module] = OrderedDict()
        if row.ones:
            branches["conv1x1"] = ConvBN(inputs, row.ones, 1)
        branches["conv3x3"] = nn.Sequential(
            ConvBN(inputs, row.three_reduce, 1), ConvBN(row.three_reduce, row.three, 3, stride)
        )
        branches["double3x3"] = nn.Sequential(
            ConvBN(inputs, row.double_reduce, 1),
            ConvBN(row.double_reduce, row.double, 3),
            ConvBN(row.double, row.double, 3, stride),
        )
        pool: nn.Module = nn.MaxPool2d(3, stride, padding=1)
        if row.pool == "avg":
            pool = nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        if row.projection:
            pool = nn.Sequential(pool, ConvBN(inputs, row.projection, 1))
        branches["pool"] = pool
        self.branches = nn.ModuleDict(branches)
        self.outputs = row.ones + row.three + row.double + (row.projection or inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, outputs, height, width)`."""
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)


def bn_inception(num_classes: int) -> nn.Sequential:
    """Build the network. Its first convolution is separable, eight filters to a colour."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1_depthwise=nn.Conv2d(3, 24, 7, stride=2, padding=3, groups=3, bias=False),
        conv1=ConvBN(24, 64, 1),  # (64, 112, 112)
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
        conv2_reduce=ConvBN(64, 64, 1),
        conv2=ConvBN(64, 192, 3),  # (192, 56, 56)
        pool2=nn.MaxPool2d(3, stride=2, padding=1),
    )
    channels = 192
    for name, row in _ROWS.items():
        module = Inception(channels, row)
        layers[name], channels = module, module.outputs
    layers["pool5"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, num_classes)
    return nn.Sequential(layers)

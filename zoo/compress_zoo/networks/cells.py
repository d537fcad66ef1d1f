"""Networks of cells: an interpreter of genotypes, shared by NASNet and AmoebaNet.

Three stages of N normal cells; between two stages, a reduction cell halves the resolution and
doubles the width. Each cell sees the outputs of the two before it.

Source: Zoph et al. 2018, arXiv:1707.07012, sec. 3 and appendix A.4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from compress_zoo.genotypes import Genotype, Operation, Wiring

_STAGES = 3


class CellNetwork(nn.Module):
    """A classifier made of cells.

    Args:
        genotype: the two cells.
        stem: the convolution before all cells, without a bias.
        stem_cells: reduction cells between the stem and the first stage.
        cells: normal cells a stage; N in the papers.
        width: channels of an operation in the first stage; F in the papers.
        num_classes: outputs.
        dropout: share of the features that is dropped before the last layer in training.
    """

    def __init__(
        self,
        genotype: Genotype,
        *,
        stem: nn.Conv2d,
        stem_cells: int,
        cells: int,
        width: int,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(stem.out_channels))
        self.cells = nn.ModuleList()
        plan = [(genotype.reduction, width // 2**left) for left in range(stem_cells, 0, -1)]
        for stage in range(_STAGES):
            plan += [(genotype.reduction, width * 2**stage)] * (stage > 0)
            plan += [(genotype.normal, width * 2**stage)] * cells
        previous, current, halved = 0, stem.out_channels, False
        for wiring, channels in plan:
            reduces = wiring is genotype.reduction
            cell = Cell(
                wiring, current, previous, channels, stride=1 + reduces, previous_is_larger=halved
            )
            self.cells.append(cell)
            previous, current, halved = current, cell.out_channels, reduces
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(current, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # keeps the variance, also of grouped ones
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Classify images, shape `(n, 3, height, width)`."""
        previous = current = self.stem(x)
        for cell in self.cells:
            previous, current = current, cell(current, previous)
        features = self.relu(current).mean((2, 3))
        logits: Tensor = self.classifier(self.dropout(features))
        return logits


class Cell(nn.Module):
    """One cell.

    Args:
        wiring: what it computes.
        current: channels of the output of the cell before.
        previous: channels of the one before that; 0 where there is none: the cell before counts
            twice, and its second copy is left as it is.
        channels: channels of each operation.
        stride: 2 in a reduction cell.
        previous_is_larger: the cell before was a reduction cell.
    """

    def __init__(
        self,
        wiring: Wiring,
        current: int,
        previous: int,
        channels: int,
        *,
        stride: int,
        previous_is_larger: bool,
    ) -> None:
        super().__init__()
        self.wiring = wiring
        self.current = _relu_conv_bn(current, channels)
        self.previous: nn.Module
        if not previous:
            self.previous = nn.Identity()
        elif previous_is_larger:
            self.previous = FactorizedReduction(previous, channels)
        else:
            self.previous = _relu_conv_bn(previous, channels)
        widths = [channels, channels if previous else current] + [channels] * len(wiring.pairs)
        self.left, self.right = (
            nn.ModuleList(
                _operation(name, widths[state], channels, stride if state < 2 else 1)
                for name, state in edges
            )
            for edges in zip(*wiring.pairs, strict=True)
        )
        self.outputs = nn.ModuleList(
            nn.Identity() if widths[state] == channels else _conv_bn(widths[state], channels)
            for state in wiring.output
        )
        self.out_channels = channels * len(wiring.output)

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        """Return the concatenated states, shape `(n, out_channels, height, width)`."""
        states = [self.current(current), self.previous(previous)]
        sums = zip(self.left, self.right, self.wiring.pairs, strict=True)
        for left, right, ((_, i), (_, j)) in sums:
            states.append(left(states[i]) + right(states[j]))
        chosen = zip(self.outputs, self.wiring.output, strict=True)
        return torch.cat([output(states[state]) for output, state in chosen], 1)


class FactorizedReduction(nn.Module):
    """Halve the resolution by two strided 1x1 convolutions, one pixel apart, that share the maps.

    Together they see half of the pixels, where one would see a quarter.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(in_channels, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels - half, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the height and width, rounded up."""
        x = self.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halved: Tensor = self.bn(torch.cat([self.even(x), self.odd(shifted)], 1))
        return halved


def _operation(name: Operation, in_channels: int, channels: int, stride: int) -> nn.Module:
    match name:
        case "identity":
            keeps = stride == 1 and in_channels == channels
            return nn.Identity() if keeps else _relu_conv_bn(in_channels, channels, stride)
        case "avg 3x3":
            pool = nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
            return _pooled(pool, in_channels, channels)
        case "max 3x3":
            return _pooled(nn.MaxPool2d(3, stride, padding=1), in_channels, channels)
        case "sep 3x3":
            return _separable_twice(in_channels, channels, 3, stride)
        case "sep 5x5":
            return _separable_twice(in_channels, channels, 5, stride)
        case "sep 7x7":
            return _separable_twice(in_channels, channels, 7, stride)
        case "1x7 then 7x1":
            return _bottleneck_1x7_7x1(in_channels, channels, stride)
        case _:
            assert_never(name)


def _relu_conv_bn(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *_conv_bn(in_channels, out_channels, stride))


def _conv_bn(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def _pooled(pool: nn.Module, in_channels: int, channels: int) -> nn.Module:
    return (
        pool if in_channels == channels else nn.Sequential(pool, *_conv_bn(in_channels, channels))
    )


def _separable_twice(in_channels: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, step in ((in_channels, stride), (channels, 1)):
        layers += [
            nn.ReLU(),
            nn.Conv2d(inputs, inputs, kernel, step, kernel // 2, groups=inputs, bias=False),
            *_conv_bn(inputs, channels),
        ]
    return nn.Sequential(*layers)


def _bottleneck_1x7_7x1(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """Work on a quarter of the channels, as the published code of AmoebaNet does."""
    inner = channels // 4
    return nn.Sequential(
        *_relu_conv_bn(in_channels, inner),
        nn.ReLU(),
        nn.Conv2d(inner, inner, (1, 7), (1, stride), (0, 3), bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, inner, (7, 1), (stride, 1), (3, 0), bias=False),
        nn.BatchNorm2d(inner),
        *_relu_conv_bn(inner, channels),
    )

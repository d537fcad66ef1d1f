"""ShuffleNet v1's units. Source: Zhang et al. 2018, arXiv:1707.01083, Figure 2 and Table 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEM = 24  # channels after the first convolution
_UNITS = (4, 8, 4)  # in stages 2, 3 and 4


class ShuffleNet(nn.Module):
    """A convolution, three stages of units and a classifier.

    Args:
        groups: groups of the pointwise convolutions, g.
        width: channels of stage 2; each later stage has twice as many.
        num_classes: outputs.
    """

    def __init__(self, groups: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, _STEM, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(_STEM),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        units, inputs = [], _STEM
        for stage, count in enumerate(_UNITS):
            for unit in range(count):
                # Stage 2 begins with 24 channels: too few to be worth grouping, says the paper.
                first = 1 if stage == unit == 0 else groups
                units.append(Unit(inputs, width * 2**stage, groups, first, reduces=unit == 0))
                inputs = width * 2**stage
        self.units = nn.Sequential(*units)
        self.classifier = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # keeps the variance, also of grouped ones
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Classify images, shape `(n, 3, height, width)`."""
        logits: Tensor = self.classifier(self.units(self.stem(x)).mean((2, 3)))
        return logits


class Unit(nn.Module):
    """A residual bottleneck: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1.

    One that reduces halves the resolution, and concatenates its pooled input instead of adding it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; the bottleneck has a quarter of them.
        groups: groups of the last convolution, and of the shuffle.
        first_groups: groups of the first convolution.
        reduces: whether the stride is 2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, first_groups: int, *, reduces: bool
    ) -> None:
        super().__init__()
        inner = out_channels // 4
        outer = out_channels - in_channels if reduces else out_channels
        stride = 2 if reduces else 1
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1, groups=first_groups, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.ChannelShuffle(groups),
            nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.Conv2d(inner, outer, 1, groups=groups, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if reduces else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of shape `(n, out_channels, height / stride, width / stride)`."""
        if self.pool is not None:
            joined = torch.cat([self.pool(x), self.branch(x)], 1)
        else:
            joined = x + self.branch(x)
        out: Tensor = self.relu(joined)
        return out

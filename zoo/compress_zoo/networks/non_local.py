"""Non-local networks: ResNet-50 on clips, in which every place looks at every other.

A non-local block is self-attention over all places and moments of a map, added to it: what two
distant places have to do with each other is found in one layer, not by a stack of small filters.
Five of them, in res3 and res4, bring 7.4 million weights, all in 1x1 convolutions, to the 24.3
million of the plain network. Their last normalization starts at zero, so that at the start nothing
is added: a network can be trained first, and given its blocks later.

The plain network is the paper's C2D: filters are 1 x k x k, and time is joined by pooling alone.
Attention is the embedded Gaussian, its keys and values pooled to a quarter.

Source: Wang et al. 2018, arXiv:1711.07971, sec. 3 and 4.1, table 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EXPANSION = 4
#: residual blocks, by stage, that a non-local block follows: every other one
NON_LOCAL = {3: (1, 3), 4: (1, 3, 5)}


class NonLocalBlock(nn.Module):
    """z = W_z y + x, where y is what a place gathers from all others.

    Args:
        channels: of the map; half as many inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        self.g = nn.Conv3d(channels, inner, 1)
        self.pool = nn.MaxPool3d((1, 2, 2))  # in space: a quarter of the pairs
        self.w_z = nn.Conv3d(inner, channels, 1)
        self.norm = nn.BatchNorm3d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, `(batch, channels, frames, height, width)`."""
        theta = self.theta(maps).flatten(2).transpose(1, 2)  # (batch, places, inner)
        phi = self.pool(self.phi(maps)).flatten(2)  # (batch, inner, pooled places)
        g = self.pool(self.g(maps)).flatten(2).transpose(1, 2)
        # The paper's softmax has no scale: theta and phi can learn it.
        gathered = torch.softmax(theta @ phi, 2) @ g
        y = gathered.transpose(1, 2).reshape(-1, self.w_z.in_channels, *maps.shape[2:])
        z: Tensor = self.norm(self.w_z(y))
        return z + maps


class Bottleneck(nn.Module):
    """ResNet's bottleneck, in space alone."""

    def __init__(self, below: int, width: int, stride: int) -> None:
        super().__init__()
        above = width * _EXPANSION
        self.conv1, self.norm1 = nn.Conv3d(below, width, 1, bias=False), nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(
            width, width, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False
        )
        self.norm2 = nn.BatchNorm3d(width)
        self.conv3, self.norm3 = nn.Conv3d(width, above, 1, bias=False), nn.BatchNorm3d(above)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if below != above:
            self.shortcut = nn.Sequential(
                nn.Conv3d(below, above, 1, (1, stride, stride), bias=False), nn.BatchNorm3d(above)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of `4 * width` channels, smaller by the stride."""
        branch = self.relu(self.norm1(self.conv1(maps)))
        branch = self.relu(self.norm2(self.conv2(branch)))
        out: Tensor = self.relu(self.norm3(self.conv3(branch)) + self.shortcut(maps))
        return out


class NonLocalResNet50(nn.Module):
    """C2D ResNet-50 with non-local blocks.

    Args:
        num_classes: of actions.
        non_local: by stage, the residual blocks that a non-local block follows; none for C2D.
    """

    def __init__(
        self, num_classes: int, non_local: dict[int, tuple[int, ...]] | None = None
    ) -> None:
        super().__init__()
        non_local = NON_LOCAL if non_local is None else non_local
        self.conv1 = nn.Conv3d(3, 64, (1, 7, 7), stride=2, padding=(0, 3, 3), bias=False)
        self.norm1, self.relu = nn.BatchNorm3d(64), nn.ReLU()
        self.pool1 = nn.MaxPool3d(3, stride=2, padding=1)
        self.pool2 = nn.MaxPool3d((3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))
        self.res2 = _stage(64, 3, 64, 1, non_local.get(2, ()))
        self.res3 = _stage(256, 4, 128, 2, non_local.get(3, ()))
        self.res4 = _stage(512, 6, 256, 2, non_local.get(4, ()))
        self.res5 = _stage(1024, 3, 512, 2, non_local.get(5, ()))
        self.pool5 = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, clip: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of clips `(batch, 3, 32, 224, 224)`."""
        maps = self.pool1(self.relu(self.norm1(self.conv1(clip))))
        maps = self.pool2(self.res2(maps))
        maps = self.res5(self.res4(self.res3(maps)))
        scores: Tensor = self.fc(self.pool5(maps).flatten(1))
        return scores


def _stage(
    below: int, n_blocks: int, width: int, stride: int, non_local: tuple[int, ...]
) -> nn.Sequential:
    layers = nn.Sequential()
    for block in range(n_blocks):
        layers.add_module(f"block{block}", Bottleneck(below, width, stride if block == 0 else 1))
        below = width * _EXPANSION
        if block in non_local:
            layers.add_module(f"non_local{block}", NonLocalBlock(below))
    return layers

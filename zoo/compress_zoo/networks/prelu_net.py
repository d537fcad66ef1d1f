"""PReLU-net A: VGG-19 made cheaper at its start, with rectifiers that learn their slope.

Source: He et al. 2015, arXiv:1502.01852, sections 2 and 3, table 3.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

_SLOPE = 0.25  # of every PReLU at the start


class SpatialPyramidPooling(nn.Module):
    """Maxima over grids of n x n windows, for several n, all in one vector.

    Windows have ceil(size / n) pixels and lie floor(size / n) apart.

    Source: He et al. 2014, arXiv:1406.4729, section 2.3.

    Args:
        size: height and width of the feature maps.
        levels: the values of n.
    """

    def __init__(self, size: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.bins = sum(n * n for n in levels)
        self.pools = nn.ModuleList(nn.MaxPool2d(-(-size // n), size // n) for n in levels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, channels * bins)`, level by level."""
        return torch.cat([pool(x).flatten(1) for pool in self.pools], dim=1)


def prelu_net_a(num_classes: int) -> nn.Sequential:
    """Build model A with the initialization of section 2.2."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 96, 7, stride=2, padding=3),  # (96, 112, 112)
        prelu1=nn.PReLU(96, init=_SLOPE),
    )
    channels = 96
    for stage, width in ((2, 256), (3, 512), (4, 512)):  # of 56, 28 and 14 pixels
        layers[f"pool{stage - 1}"] = nn.MaxPool2d(2)
        for number in range(1, 6):
            layers[f"conv{stage}_{number}"] = nn.Conv2d(channels, width, 3, padding=1)
            layers[f"prelu{stage}_{number}"] = nn.PReLU(width, init=_SLOPE)
            channels = width
    pyramid = SpatialPyramidPooling(14, (7, 3, 2, 1))
    layers["spp"] = pyramid
    features = channels * pyramid.bins
    for number in (1, 2):
        layers[f"fc{number}"] = nn.Linear(features, 4096)
        layers[f"prelu_fc{number}"] = nn.PReLU(4096, init=_SLOPE)
        layers[f"drop{number}"] = nn.Dropout()
        features = 4096
    layers["fc3"] = nn.Linear(features, num_classes)
    network = nn.Sequential(layers)
    initialize(network, _SLOPE)
    return network


def initialize(network: nn.Module, slope: float) -> None:
    """Draw weights so that the signal's variance stays the same from layer to layer.

    The deviation is sqrt(2 / ((1 + slope^2) n)) for n inputs of a unit; biases are zero.

    Source: equation 15.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=slope, nonlinearity="leaky_relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

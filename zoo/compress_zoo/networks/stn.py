"""Spatial transformer network: a small network looks where to look, the image is resampled there.

Source: Jaderberg et al. 2015, arXiv:1506.02025, section 3 and appendix.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

_FILTERS = 64  # of the classifier; the paper's have between 32 and 64


class SpatialTransformer(nn.Module):
    """Sample the input on a grid that an affine map, regressed from the input, moves.

    Args:
        localisation: from the input to the six numbers of the map, row by row.
    """

    def __init__(self, localisation: nn.Module) -> None:
        super().__init__()
        self.localisation = localisation

    def forward(self, x: Tensor) -> Tensor:
        """Return the input as it is seen through the map: bilinear, zero beyond its edges."""
        theta = self.localisation(x).unflatten(1, (2, 3))
        grid = functional.affine_grid(theta, list(x.shape), align_corners=False)  # equation 1
        return functional.grid_sample(x, grid, align_corners=False)  # equation 5


def st_cnn_affine(num_classes: int) -> nn.Sequential:
    """Build ST-CNN Aff for digits of 28 pixels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        transformer=SpatialTransformer(_localisation()),
        conv1=nn.Conv2d(1, _FILTERS, 9),  # (64, 20, 20)
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(_FILTERS, _FILTERS, 7),  # (64, 4, 4)
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(_FILTERS * 2 * 2, num_classes),
    )
    return nn.Sequential(layers)


def _localisation() -> nn.Sequential:
    theta = nn.Linear(20, 6)
    with torch.no_grad():  # training starts from the identity
        theta.weight.zero_()
        theta.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        shrink=nn.AvgPool2d(2),  # (1, 14, 14)
        conv1=nn.Conv2d(1, 20, 5),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(20, 20, 5),  # (20, 1, 1)
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        fc=nn.Linear(20, 20),
        relu3=nn.ReLU(),
        theta=theta,
    )
    return nn.Sequential(layers)

"""SPP-net: the convolutions run once a picture, and each region is pooled from their map.

A pyramid of max pooling (6x6, 3x3, 2x2 and 1x1: 50 bins) makes 12,800 features of a region of any
size and shape, so that only the fully connected layers run for each. Those hold 70 of its 74
million weights: pruned, they are also what a region costs.

The row is the ZF-5 network for detection, with an SVM and a box regressor a class; the regions are
proposed outside, and given in whole pixels. Each layer pads by half its filter, as the paper does
for detection, which is what the projection of a region onto the map relies on.

Source: He et al. 2014, arXiv:1406.4729, sec. 2.2, 3.1 (table 1) and 4, app. A.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.regions import RoiPool, rows

_STRIDE = 16  # pixels of the picture a cell of conv5
_LEVELS = (6, 3, 2, 1)
_BINS = sum(level**2 for level in _LEVELS)  # 50


class SppNet(nn.Module):
    """Score regions of a picture for each class, and say how to move their boxes.

    Args:
        num_classes: without the background, which has no SVM.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=2, padding=3)
        self.conv2 = nn.Conv2d(96, 256, 5, stride=2, padding=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        self.spp = nn.ModuleList(RoiPool(level, scale=1.0) for level in _LEVELS)
        self.fc6 = nn.Linear(256 * _BINS, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.svm = nn.Linear(4096, num_classes)
        self.box = nn.Linear(256 * _BINS, 4 * num_classes)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)
        self.pool, self.relu = nn.MaxPool2d(3, 2, padding=1), nn.ReLU()
        self.dropout = nn.Dropout(0.5)

    def forward(self, pictures: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores `(batch, n, classes)` and deltas `(batch, n, classes, 4)`.

        Args:
            pictures: `(batch, 3, height, width)`.
            regions: opposite corners in whole pixels, `(batch, n, 4)`.
        """
        maps = self.features(pictures)
        cells = project(rows(regions))
        pooled = torch.cat([level(maps, cells).flatten(1) for level in self.spp], 1)
        fc6 = self.dropout(self.relu(self.fc6(pooled)))
        fc7 = self.dropout(self.relu(self.fc7(fc6)))
        n = regions.shape[1]
        scores = self.svm(fc7).unflatten(0, (-1, n))
        return scores, self.box(pooled).unflatten(1, (-1, 4)).unflatten(0, (-1, n))

    def features(self, pictures: Tensor) -> Tensor:
        """Return the map of conv5, `(batch, 256, height / 16, width / 16)`."""
        maps = self.pool(self.norm(self.relu(self.conv1(pictures))))
        maps = self.pool(self.norm(self.relu(self.conv2(maps))))
        maps = self.relu(self.conv4(self.relu(self.conv3(maps))))
        conv5: Tensor = self.relu(self.conv5(maps))
        return conv5


def project(regions: Tensor) -> Tensor:
    """Return the cells of conv5 whose receptive fields are centred in the regions.

    Args:
        regions: number of the picture, then the box in whole pixels, `(regions, 5)`.

    Source: app. A: the first cell is floor(x / 16) + 1, the last ceil(x / 16) - 1.
    """
    first = torch.div(regions[:, 1:3], _STRIDE, rounding_mode="floor") + 1
    last = torch.div(regions[:, 3:] - 1, _STRIDE, rounding_mode="floor")  # ceil(x / 16) - 1
    return torch.cat([regions[:, :1], first, last], 1)

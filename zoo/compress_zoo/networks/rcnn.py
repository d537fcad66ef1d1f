"""R-CNN: AlexNet run on each of some 2000 proposed regions of a picture.

The row is the region network: AlexNet up to fc7, one linear SVM a class on fc7, and one box
regressor a class on pool5. It has 57.7 million weights, 54.5 million of them in fc6 and fc7: the
layers that pruning empties most. Regions come from selective search, outside; each is warped to
227 x 227 pixels, whatever its shape, with some context around it: `warp`. Running the network
for each region is what SPP-net and Fast R-CNN then do away with.

Source: Girshick et al. 2014, arXiv:1311.2524, sec. 2, app. A and C; the layers are those of
Krizhevsky et al. 2012, sec. 3.5, in two groups.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 227  #: pixels of a warped region
CONTEXT = 16  #: pixels around it, after warping


class Rcnn(nn.Module):
    """Score warped regions for each class, and say how to move their boxes.

    Args:
        num_classes: without the background, which has no SVM.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)  # (96, 55, 55)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)  # (256, 27, 27)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)  # (384, 13, 13)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.svm = nn.Linear(4096, num_classes)
        self.box = nn.Linear(256 * 6 * 6, 4 * num_classes)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)
        self.pool, self.relu, self.dropout = nn.MaxPool2d(3, 2), nn.ReLU(), nn.Dropout(0.5)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the classes' scores `(batch, classes)` and deltas `(batch, classes, 4)`."""
        maps = self.pool(self.norm(self.relu(self.conv1(regions))))
        maps = self.pool(self.norm(self.relu(self.conv2(maps))))
        maps = self.relu(self.conv4(self.relu(self.conv3(maps))))
        pool5 = self.pool(self.relu(self.conv5(maps))).flatten(1)
        fc6 = self.dropout(self.relu(self.fc6(pool5)))
        fc7 = self.dropout(self.relu(self.fc7(fc6)))
        return self.svm(fc7), self.box(pool5).unflatten(1, (-1, 4))


def warp(picture: Tensor, boxes: Tensor, side: int = SIDE, context: int = CONTEXT) -> Tensor:
    """Stretch each box of a picture to a square that shows `context` pixels around it.

    What lies outside the picture is zero: the mean colour, once that is subtracted.

    Args:
        picture: less the mean colour, `(channels, height, width)`.
        boxes: `(n, 4)`.
        side: of the squares, in pixels.
        context: around the box, in pixels of the square.

    Returns:
        `(n, channels, side, side)`. Source: app. A, the last column of its figure.
    """
    inner = side - 2 * context
    # Pixel centres of the square, in units of the box: 0 and 1 are the box's borders.
    steps = (torch.arange(side, dtype=picture.dtype) + 0.5 - context) / inner
    left, top, right, bottom = boxes.to(picture.dtype)[:, :, None].unbind(1)
    across = left + (right - left) * steps  # (n, side), in pixels of the picture
    down = top + (bottom - top) * steps
    height, width = picture.shape[1:]
    across, down = 2 * across / width - 1, 2 * down / height - 1  # its borders are -1 and 1
    square = (len(boxes), side, side)
    grid = torch.stack([across[:, None].expand(square), down[:, :, None].expand(square)], -1)
    pictures = picture.expand(len(boxes), -1, -1, -1)
    return functional.grid_sample(pictures, grid, align_corners=False)

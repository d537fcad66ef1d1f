"""Regions of a picture: how the R-CNN line takes features out of them, and moves their corners.

A box is (left, top, right, bottom) in pixels. Source: Girshick et al. 2014, arXiv:1311.2524,
app. C; Girshick 2015, arXiv:1504.08083, sec. 2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rows(regions: Tensor) -> Tensor:
    """Put the regions of a batch in one list, each after its picture's number: `(batch * n, 5)`.

    Args:
        regions: whole pixels, `(batch, n, 4)`; opposite corners, in any order.
    """
    one, other = regions[..., :2], regions[..., 2:]
    corners = torch.cat([torch.minimum(one, other), torch.maximum(one, other)], 2)
    batch, n = regions.shape[:2]
    pictures = torch.arange(batch, device=regions.device)[:, None, None].expand(batch, n, 1)
    return torch.cat([pictures, corners], 2).flatten(0, 1)


class RoiPool(nn.Module):
    """Max pooling of each region into a fixed grid: a pyramid of one level.

    It is torchvision's `roi_pool`, and ONNX's MaxRoiPool where it is exported: torch's exporter
    knows no translation of the one into the other.

    Args:
        size: side of the grid.
        scale: of the map: 1 / (pixels a cell).
    """

    def __init__(self, size: int, scale: float) -> None:
        super().__init__()
        self.size, self.scale = size, scale

    def forward(self, maps: Tensor, regions: Tensor) -> Tensor:
        """Return the pooled maps, `(regions, channels, size, size)`.

        Args:
            maps: `(batch, channels, height, width)`.
            regions: number of the picture, then the box, `(regions, 5)`.
        """
        from torchvision.ops import roi_pool

        regions = regions.to(maps.dtype)
        if torch.onnx.is_in_onnx_export():
            return torch.onnx.ops.symbolic(
                "MaxRoiPool",
                (maps, regions),
                attrs={"pooled_shape": [self.size, self.size], "spatial_scale": self.scale},
                dtype=maps.dtype,
                shape=(regions.shape[0], maps.shape[1], self.size, self.size),
            )
        pooled: Tensor = roi_pool(maps, regions, self.size, self.scale)
        return pooled


def deltas(boxes: Tensor, truth: Tensor) -> Tensor:
    """Return what a regressor must give to move `boxes` onto `truth`. Source: eqs. 6 to 9.

    Args:
        boxes: `(..., 4)`.
        truth: `(..., 4)`.

    >>> deltas(torch.tensor([0.0, 0, 10, 20]), torch.tensor([5.0, 0, 15, 20])).tolist()
    [0.5, 0.0, 0.0, 0.0]
    """
    centre, size = _centre_and_size(boxes)
    true_centre, true_size = _centre_and_size(truth)
    return torch.cat([(true_centre - centre) / size, torch.log(true_size / size)], -1)


def move(boxes: Tensor, by: Tensor) -> Tensor:
    """Move boxes by what a regressor gave: the inverse of `deltas`. Source: eqs. 1 to 4.

    Args:
        boxes: `(..., 4)`.
        by: `(..., 4)`: shift over size, and the logarithm of the growth.
    """
    centre, size = _centre_and_size(boxes)
    centre = centre + by[..., :2] * size
    size = size * torch.exp(by[..., 2:])
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    one, other = boxes[..., :2], boxes[..., 2:]
    return (one + other) / 2, other - one

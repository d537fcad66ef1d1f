"""YOLOv2: anchors in place of fully connected layers, on Darknet-19.

Each cell of a 13x13 map moves five anchor boxes, whose sizes come from the data by k-means
(`zoo.anchors`). A passthrough layer brings the finer map of 26x26 beside it, four cells stacked as
channels. Without YOLO's fully connected layers, 50.7 million weights are left of 271.7 million, all
in convolutions with batch normalization; six tenths are in the three 3x3 layers on top.

One detail is the published network's, not the paper's text: 1x1 filters take the finer map from 512
to 64 channels before it is stacked. The text stacks all 512, to 2048.

Source: Redmon & Farhadi 2017, arXiv:1612.08242, sec. 2, table 6.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

#: widths and heights in cells: the published network's for PASCAL VOC
ANCHORS = ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053),
           (11.2364, 10.0071))  # fmt: skip

#: Darknet-19 up to the finer map and after it: channels and side; None for 2x2 max pooling
_FINE = (
    (32, 3), None,
    (64, 3), None,
    (128, 3), (64, 1), (128, 3), None,
    (256, 3), (128, 1), (256, 3), None,
    (512, 3), (256, 1), (512, 3), (256, 1), (512, 3),
)  # fmt: skip
_COARSE = (None, (1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3))


class YoloV2(nn.Module):
    """Give each anchor of each cell a box, a confidence and classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.fine = _darknet(3, _FINE)
        self.coarse = _darknet(512, _COARSE)
        self.top = nn.Sequential(_normalized(1024, 1024, 3), _normalized(1024, 1024, 3))
        self.passthrough = nn.Sequential(_normalized(512, 64, 1), nn.PixelUnshuffle(2))
        self.joined = _normalized(4 * 64 + 1024, 1024, 3)
        self.output = nn.Conv2d(1024, len(ANCHORS) * (5 + num_classes), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return `(batch, 5, 5 + classes, height / 32, width / 32)`.

        Of each anchor: t_x, t_y, t_w, t_h, t_o, then the classes' scores, as in the paper.
        """
        fine = self.fine(pictures)
        coarse = self.top(self.coarse(fine))
        maps: Tensor = self.output(self.joined(torch.cat([self.passthrough(fine), coarse], 1)))
        return maps.reshape(maps.shape[0], len(ANCHORS), -1, *maps.shape[2:])


def decode(maps: Tensor, anchors: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return boxes `(batch, n, 4)`, as shares of the picture, and scores `(batch, n, classes)`.

    Args:
        maps: of the network.
        anchors: widths and heights in cells, `(anchors, 2)`; by default `ANCHORS`.

    Source: sec. 2, "direct location prediction".
    """
    if anchors is None:
        anchors = maps.new_tensor(ANCHORS)
    height, width = maps.shape[-2:]
    cells = maps.permute(0, 3, 4, 1, 2)  # (batch, height, width, anchors, 5 + classes)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    offsets = torch.stack([columns, rows], -1)[:, :, None].to(maps)
    whole = maps.new_tensor([width, height])
    centres = (torch.sigmoid(cells[..., :2]) + offsets) / whole
    sizes = anchors * torch.exp(cells[..., 2:4]) / whole
    scores = torch.sigmoid(cells[..., 4:5]) * torch.softmax(cells[..., 5:], -1)
    boxes = torch.cat([centres - sizes / 2, centres + sizes / 2], -1)
    return boxes.flatten(1, 3), scores.flatten(1, 3)


def _darknet(channels: int, layers: tuple[tuple[int, int] | None, ...]) -> nn.Sequential:
    built: list[nn.Module] = []
    for layer in layers:
        if layer is None:
            built.append(nn.MaxPool2d(2))
        else:
            above, side = layer
            built.append(_normalized(channels, above, side))
            channels = above
    return nn.Sequential(*built)


def _normalized(below: int, above: int, side: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(below, above, side, padding=side // 2, bias=False),
        norm=nn.BatchNorm2d(above),
        leaky=nn.LeakyReLU(0.1),
    )
    return nn.Sequential(layers)

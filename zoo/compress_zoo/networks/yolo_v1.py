"""YOLO: detection as one regression from a picture to a grid of boxes.

Twenty-four convolutions and two fully connected layers give each of 7x7 cells two boxes and twenty
class probabilities. No regions, no second pass: it is fast because of its shape, not its size. Of
its 271.7 million weights, 205.5 million are in the first fully connected layer alone (1 GiB in all,
as floats): the largest single target for pruning in this zoo.

Source: Redmon et al. 2016, arXiv:1506.02640, sec. 2, fig. 3, eq. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_GRID = 7  # cells a side
_BOXES = 2  # a cell
_COORDINATES, _EMPTY = 5.0, 0.5  # weights of the loss: lambda_coord and lambda_noobj
#: of each convolution: channels, side, stride; None for 2x2 max pooling
_LAYERS = (
    (64, 7, 2), None,
    (192, 3, 1), None,
    (128, 1, 1), (256, 3, 1), (256, 1, 1), (512, 3, 1), None,
    *((256, 1, 1), (512, 3, 1)) * 4, (512, 1, 1), (1024, 3, 1), None,
    *((512, 1, 1), (1024, 3, 1)) * 2, (1024, 3, 1), (1024, 3, 2),
    (1024, 3, 1), (1024, 3, 1),
)  # fmt: skip


class YoloV1(nn.Module):
    """Give each cell of the grid its boxes and its classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential()
        channels, number = 3, 0
        for layer in _LAYERS:
            if layer is None:
                self.convolutions.add_module(f"pool{number}", nn.MaxPool2d(2))
                continue
            number += 1
            above, side, stride = layer
            convolution = nn.Conv2d(channels, above, side, stride, padding=side // 2)
            self.convolutions.add_module(f"conv{number}", convolution)
            self.convolutions.add_module(f"leaky{number}", nn.LeakyReLU(0.1))
            channels = above
        self.fc1 = nn.Linear(1024 * _GRID * _GRID, 4096)
        self.fc2 = nn.Linear(4096, _GRID * _GRID * (5 * _BOXES + num_classes))
        self.leaky, self.dropout = nn.LeakyReLU(0.1), nn.Dropout(0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return `(batch, 7, 7, 5 + 5 + classes)`.

        Of each cell: twice a box's centre in the cell, the roots of its width and height (as shares
        of the cell and of the picture, all in [0, 1]) and its confidence, then the classes'
        probabilities.

        Args:
            pictures: `(batch, 3, 448, 448)`.
        """
        maps = self.convolutions(pictures).flatten(1)
        cells: Tensor = self.fc2(self.dropout(self.leaky(self.fc1(maps))))
        return cells.reshape(-1, _GRID, _GRID, self.fc2.out_features // _GRID**2)


def decode(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return boxes `(batch, 98, 4)`, as shares of the picture, and scores `(batch, 98, classes)`.

    A score is the class's probability times the box's confidence. Source: eq. 1.
    """
    boxes, confidence, classes = _split(cells)
    scores = classes[..., None, :] * confidence[..., None]
    return _corners(boxes).flatten(1, 3), scores.flatten(1, 3)


def encode(boxes: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the truth of one picture as cells `(7, 7, 5 + classes)`.

    Of a cell that holds a centre: the box as the network gives it, 1, and the class; else zeros. A
    cell can name one object: of several, the last is kept.

    Args:
        boxes: as shares of the picture, `(objects, 4)`.
        labels: `(objects,)`.
        num_classes: that there are.
    """
    cells = torch.zeros(_GRID, _GRID, 5 + num_classes)
    for box, label in zip(boxes, labels, strict=True):
        centre, size = (box[:2] + box[2:]) / 2 * _GRID, box[2:] - box[:2]
        column, row = centre.long().clamp(max=_GRID - 1).tolist()
        cells[row, column] = 0
        cells[row, column, :2] = centre - torch.tensor([column, row])
        cells[row, column, 2:4] = size.sqrt()
        cells[row, column, 4] = 1
        cells[row, column, 5 + int(label)] = 1
    return cells


def loss(cells: Tensor, truth: Tensor) -> Tensor:
    """Return the sum of squares that the network is trained with, the mean over pictures.

    Args:
        cells: of the network.
        truth: of `encode`, `(batch, 7, 7, 5 + classes)`.

    Source: eq. 3. The box that overlaps the object most is responsible for it.
    """
    boxes, confidence, classes = _split(cells)
    wanted, there, wanted_classes = truth[..., None, :4], truth[..., 4], truth[..., 5:]
    overlap = _iou(_corners(boxes), _corners(wanted)).detach()
    best = overlap.argmax(-1, keepdim=True)
    responsible = torch.zeros_like(overlap).scatter(-1, best, 1.0) * there[..., None]
    coordinates = (boxes - wanted).square().sum(-1) * responsible
    objects = (confidence - overlap).square() * responsible
    empty = confidence.square() * (1 - responsible)
    names = (classes - wanted_classes).square().sum(-1) * there
    boxwise = _COORDINATES * coordinates + objects + _EMPTY * empty
    return (boxwise.sum((1, 2, 3)) + names.sum((1, 2))).mean()


def _split(cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes `(..., 2, 4)`, confidences `(..., 2)`, classes `(..., classes)`."""
    boxes = cells[..., : 5 * _BOXES].reshape(*cells.shape[:-1], _BOXES, 5)
    return boxes[..., :4], boxes[..., 4], cells[..., 5 * _BOXES :]


def _corners(boxes: Tensor) -> Tensor:
    """Return boxes of cells, `(batch, 7, 7, n, 4)`, by their corners in the picture."""
    steps = torch.arange(_GRID, device=boxes.device)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    offsets = torch.stack([columns, rows], -1)[:, :, None]
    centres, sizes = (boxes[..., :2] + offsets) / _GRID, boxes[..., 2:].square()
    return torch.cat([centres - sizes / 2, centres + sizes / 2], -1)


def _iou(left: Tensor, right: Tensor) -> Tensor:
    first = torch.maximum(left[..., :2], right[..., :2])
    last = torch.minimum(left[..., 2:], right[..., 2:])
    both = (last - first).clamp(min=0).prod(-1)
    areas = (left[..., 2:] - left[..., :2]).prod(-1) + (right[..., 2:] - right[..., :2]).prod(-1)
    return both / (areas - both).clamp(min=1e-9)  # two boxes without area do not overlap

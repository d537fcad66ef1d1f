"""Two streams: what is in a frame, and how it moves.

The spatial stream sees one frame, the temporal stream the optical flow of ten, as 20 channels
(`zoo.optical_flow` stacks them). Both are CNN-M with 2048 units in full7; their class probabilities
are averaged. Five sixths of the 181 million weights are in the two layers full6. The second layer
of the temporal stream is not normalized, as in the paper, which had not the memory.

Source: Simonyan & Zisserman 2014, arXiv:1406.2199, sec. 2, 3 and 5, fig. 1.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

FLOWS = 10  #: L: flow fields that the temporal stream sees


class TwoStream(nn.Module):
    """The mean of what both streams say."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.spatial = stream(3, num_classes, second_norm=True)
        self.temporal = stream(2 * FLOWS, num_classes, second_norm=False)

    def forward(self, frame: Tensor, flow: Tensor) -> Tensor:
        """Return the probabilities of the classes, `(batch, classes)`.

        Args:
            frame: `(batch, 3, 224, 224)`.
            flow: stacked fields, `(batch, 20, 224, 224)`.
        """
        seen = torch.softmax(self.spatial(frame), 1)
        moved = torch.softmax(self.temporal(flow), 1)
        return (seen + moved) / 2


def stream(channels: int, num_classes: int, *, second_norm: bool) -> nn.Sequential:
    """Build one stream: five convolutions and three fully connected layers."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, 96, 7, stride=2),  # (96, 109, 109)
        relu1=nn.ReLU(),
        norm1=_norm(),
        pool1=_pool(),  # (96, 54, 54)
        conv2=nn.Conv2d(96, 256, 5, stride=2, padding=1),  # (256, 26, 26)
        relu2=nn.ReLU(),
        norm2=_norm() if second_norm else nn.Identity(),
        pool2=_pool(),  # (256, 13, 13)
        conv3=nn.Conv2d(256, 512, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(512, 512, 3, padding=1),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(512, 512, 3, padding=1),
        relu5=nn.ReLU(),
        pool5=_pool(),  # (512, 6, 6)
        flatten=nn.Flatten(),
        full6=nn.Linear(512 * 6 * 6, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(0.9),  # sec. 5
        full7=nn.Linear(4096, 2048),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(0.9),
        full8=nn.Linear(2048, num_classes),
    )
    return nn.Sequential(layers)


def _norm() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)

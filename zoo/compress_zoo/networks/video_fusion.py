"""Five ways to join time to an image network, on clips of sports.

All are one AlexNet-like network, and differ in where frames meet: never (single frame), in the
first layer (early), in the first fully connected layer (late), or layer by layer (slow, by
convolutions in time). The fifth sees one frame at two resolutions instead: the whole frame at half
the resolution, and its centre in full (context and fovea), which halves the pixels. Fusion itself
costs little: of 74 to 129 million weights, 51 to 103 million are in fc6, 17 million in fc7.

Pooling rounds up, so that the last map is 7x7 for both kinds of input, as the paper says.

Source: Karpathy et al. 2014, "Large-scale video classification with convolutional neural networks",
sec. 3.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAMES = 10  #: of a clip, for early and slow fusion

_SIDE = 7  # of the last map
_FOVEA = 89  # pixels: half of a frame of 178


def columns(first: nn.Module) -> nn.Sequential:
    """Build the convolutions after a first layer of 96 maps, without the last pooling."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=first,
        relu1=nn.ReLU(),
        norm1=_norm(),
        pool1=_pool(),
        conv2=nn.Conv2d(96, 256, 5, padding=2),
        relu2=nn.ReLU(),
        norm2=_norm(),
        pool2=_pool(),
        conv3=nn.Conv2d(256, 384, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1),
        relu5=nn.ReLU(),
    )
    return nn.Sequential(layers)


def classifier(columns: int, num_classes: int) -> nn.Sequential:
    """Build the fully connected layers on the last maps of a number of columns."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        fc6=nn.Linear(columns * 256 * _SIDE * _SIDE, 4096),
        relu6=nn.ReLU(),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        fc8=nn.Linear(4096, num_classes),
    )
    return nn.Sequential(layers)


class SingleFrame(nn.Module):
    """The network of one frame: what the others are measured against."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.column = columns(nn.Conv2d(3, 96, 11, stride=3))
        self.pool5 = _pool()
        self.classifier = classifier(1, num_classes)

    def forward(self, frame: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of frames `(batch, 3, 170, 170)`."""
        scores: Tensor = self.classifier(self.pool5(self.column(frame)).flatten(1))
        return scores


class EarlyFusion(nn.Module):
    """Filters of the first layer reach over all frames of a clip."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.column = columns(nn.Conv2d(3 * FRAMES, 96, 11, stride=3))
        self.pool5 = _pool()
        self.classifier = classifier(1, num_classes)

    def forward(self, clip: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of clips `(batch, 10, 3, 170, 170)`."""
        scores: Tensor = self.classifier(self.pool5(self.column(clip.flatten(1, 2))).flatten(1))
        return scores


class LateFusion(nn.Module):
    """One column looks at two frames, 15 apart; the first fully connected layer sees both."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.column = columns(nn.Conv2d(3, 96, 11, stride=3))
        self.pool5 = _pool()
        self.classifier = classifier(2, num_classes)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of pairs of frames `(batch, 2, 3, 170, 170)`."""
        maps = self.pool5(self.column(frames.flatten(0, 1)))
        scores: Tensor = self.classifier(maps.reshape(frames.shape[0], -1))
        return scores


class SlowFusion(nn.Module):
    """Three layers join frames little by little: 10 to 4, to 2, to 1."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 96, (4, 11, 11), stride=(2, 3, 3))
        self.conv2 = nn.Conv3d(96, 256, (2, 5, 5), stride=(2, 1, 1), padding=(0, 2, 2))
        self.conv3 = nn.Conv3d(256, 384, (2, 3, 3), padding=(0, 1, 1))
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        self.norm, self.pool, self.relu = _norm(), _pool(), nn.ReLU()
        self.classifier = classifier(1, num_classes)

    def forward(self, clip: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of clips `(batch, 10, 3, 170, 170)`."""
        maps = self._each(self.relu(self.conv1(clip.transpose(1, 2))))  # (batch, 96, 4, 27, 27)
        maps = self._each(self.relu(self.conv2(maps)))  # (batch, 256, 2, 14, 14)
        maps = self.relu(self.conv3(maps)).squeeze(2)
        maps = self.pool(self.relu(self.conv5(self.relu(self.conv4(maps)))))
        scores: Tensor = self.classifier(maps.flatten(1))
        return scores

    def _each(self, maps: Tensor) -> Tensor:
        """Normalize and pool the maps of each moment."""
        moments = [self.pool(self.norm(moment)) for moment in maps.unbind(2)]
        return torch.stack(moments, 2)


class MultiResolution(nn.Module):
    """A context column on the whole frame at half the resolution, a fovea column on its centre."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.context = columns(nn.Conv2d(3, 96, 11, stride=3))
        self.fovea = columns(nn.Conv2d(3, 96, 11, stride=3))
        self.classifier = classifier(2, num_classes)

    def forward(self, frame: Tensor) -> Tensor:
        """Return the scores `(batch, classes)` of frames `(batch, 3, 178, 178)`."""
        start = (frame.shape[-1] - _FOVEA) // 2
        centre = frame[:, :, start : start + _FOVEA, start : start + _FOVEA]
        whole = functional.avg_pool2d(frame, 2)
        maps = torch.cat([self.context(whole), self.fovea(centre)], 1)  # (batch, 512, 7, 7)
        scores: Tensor = self.classifier(maps.flatten(1))
        return scores


def _norm() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.5, k=2)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(2, ceil_mode=True)

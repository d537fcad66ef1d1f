"""CMC: one network for lightness, one for colour, that learn to agree on what belongs together.

An image in Lab is split in its L and its ab channels; the two views of one image must get near
vectors, those of different images far ones. Each view has half an AlexNet, split across channels,
so the pair costs half of one AlexNet; most weights are in its fully connected layers.

Source: Tian et al. 2019, arXiv:1906.05849, sections 3.2 and 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.alexnet_bn import SIDE, convolutions
from compress_zoo.networks.memory_bank import log_probabilities

WIDTH = 128  # of the vectors
# linear sRGB to CIE XYZ, and the white of daylight (D65): IEC 61966-2-1
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE = (0.95047, 1.0, 1.08883)


class HalfAlexNet(nn.Module):
    """A vector of length 1, `(batch, 128)`, from some channels of an image of 224 x 224."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = convolutions(channels, divisor=2, bias=False)
        self.fc6 = nn.Sequential(nn.Linear(128 * SIDE**2, 2048), nn.BatchNorm1d(2048), nn.ReLU())
        self.fc7 = nn.Sequential(nn.Linear(2048, 2048), nn.BatchNorm1d(2048), nn.ReLU())
        self.fc8 = nn.Linear(2048, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        hidden = self.fc7(self.fc6(self.convolutions(x).flatten(1)))
        return functional.normalize(self.fc8(hidden), dim=1)


class CMC(nn.Module):
    """The vectors of both views, L and ab, of images in Lab, `(batch, 3, 224, 224)`.

    The features that a task builds on are any layer's, of both views, side by side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lightness = HalfAlexNet(1)
        self.colour = HalfAlexNet(2)

    def forward(self, lab: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two views' vectors."""
        return self.lightness(lab[:, :1]), self.colour(lab[:, 1:])


def rgb_to_lab(images: Tensor) -> Tensor:
    """Return sRGB images in [0, 1], `(…, 3, h, w)`, in CIE Lab: L in [0, 100], a and b around 0."""
    linear = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055) ** 2.4)
    to_xyz = images.new_tensor(_TO_XYZ) / images.new_tensor(_WHITE)[:, None]
    xyz = torch.einsum("ij,...jhw->...ihw", to_xyz, linear)
    curve = torch.where(xyz > (6 / 29) ** 3, xyz ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = curve.unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def contrastive_loss(
    lightness: Tensor, colour: Tensor, other_lightness: Tensor, other_colour: Tensor
) -> Tensor:
    """Return the loss in both directions: each view finds the other among the negatives.

    It is the softmax over all of the negatives that are given (section 3.2); the paper
    approximates the one over all images by noise-contrastive estimation.

    Args:
        lightness: of a batch, `(batch, 128)`.
        colour: of the same images.
        other_lightness: of other images, `(count, 128)`: from a memory.
        other_colour: the same for colour.
    """
    of_colour = log_probabilities(lightness, colour, other_colour)[:, 0]
    of_lightness = log_probabilities(colour, lightness, other_lightness)[:, 0]
    return -(of_colour + of_lightness).mean()

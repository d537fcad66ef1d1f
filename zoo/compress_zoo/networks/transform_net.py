"""The image transformation network of fast style transfer, and the losses that train it.

The network learns one style; a picture then costs one pass instead of an optimization. It works at
a quarter of the resolution in its middle, where five residual blocks hold 1.5 million of its 1.7
million weights. As in the paper's supplement, those blocks do not pad (zeros would show in the
picture): the picture is reflected by 40 pixels once, and the blocks' shortcuts are cropped. Batch
normalization follows each convolution but the last; the instance normalization that later work
prefers is not the paper's.

What is compared in training is not pixels but features of VGG-16: `PerceptualLoss`.

Source: Johnson et al. 2016, arXiv:1603.08155, sec. 3, and its supplementary material, table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_MARGIN = 40  # pixels; ten 3x3 convolutions at a quarter of the resolution take it away again


class ResidualBlock(nn.Module):
    """Two convolutions without padding, and what they left of their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps that are 4 smaller each way."""
        residual: Tensor = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(maps)))))
        return maps[:, :, 2:-2, 2:-2] + residual


class TransformNet(nn.Module):
    """Turn a picture into one of the style that was learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.margin = nn.ReflectionPad2d(_MARGIN)
        self.down = nn.Sequential(
            *_normalized(nn.Conv2d(3, 32, 9, padding=4)),
            *_normalized(nn.Conv2d(32, 64, 3, stride=2, padding=1)),
            *_normalized(nn.Conv2d(64, 128, 3, stride=2, padding=1)),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(128) for _ in range(5)))
        self.up = nn.Sequential(
            *_normalized(_half_stride(128, 64)),
            *_normalized(_half_stride(64, 32)),
            nn.Conv2d(32, 3, 9, padding=4),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the pictures in the style, `(batch, 3, height, width)`, in [0, 255]."""
        maps = self.up(self.blocks(self.down(self.margin(images))))
        return 127.5 * (1 + torch.tanh(maps))


def _normalized(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    return layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()


def _half_stride(below: int, above: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(below, above, 3, stride=2, padding=1, output_padding=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the three losses; the paper tunes them for each style."""

    content: float = 1.0
    style: float = 5.0
    variation: float = 1e-5


class PerceptualLoss(nn.Module):
    """Distance of pictures as VGG-16 sees them: content, style, and smoothness.

    Args:
        features: the layers of VGG-16 up to relu4_3, trained on ImageNet: torchvision's
            `vgg16().features`.
        weights: of the three losses.
    """

    #: the ReLU's position in torchvision's vgg16().features, by the paper's name
    STYLE_LAYERS: Mapping[str, int] = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22}
    CONTENT_LAYER = "relu2_2"

    def __init__(self, features: nn.Sequential, weights: LossWeights) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(requires_grad=False)
        self.weights = weights

    def forward(self, output: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """Return the loss of `output`, all `(batch, 3, height, width)`, in VGG-16's scale."""
        ours, wanted = self._layers(output), self._layers(content)
        loss = self.weights.content * functional.mse_loss(
            ours[self.CONTENT_LAYER], wanted[self.CONTENT_LAYER]
        )
        for name, maps in self._layers(style).items():
            difference = gram(ours[name]) - gram(maps)
            loss = loss + self.weights.style * difference.square().sum((1, 2)).mean()
        return loss + self.weights.variation * total_variation(output)

    def _layers(self, images: Tensor) -> dict[str, Tensor]:
        names = {position: name for name, position in self.STYLE_LAYERS.items()}
        found, maps = {}, images
        for position, layer in enumerate(self.features[: max(names) + 1]):
            maps = layer(maps)
            if position in names:
                # torchvision's ReLU works in place; the next layer is a convolution or pooling.
                found[names[position]] = maps
        return found


def gram(maps: Tensor) -> Tensor:
    """Return how channels go together, `(batch, channels, channels)`: the style. Source: eq. 3."""
    batch, channels, height, width = maps.shape
    flat = maps.reshape(batch, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def total_variation(images: Tensor) -> Tensor:
    """Return the sum of squared differences of neighbours, the mean over pictures."""
    down = (images[:, :, 1:] - images[:, :, :-1]).square().sum((1, 2, 3))
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().sum((1, 2, 3))
    return (down + across).mean()

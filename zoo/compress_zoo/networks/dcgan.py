"""DCGAN: a generator and a discriminator that are convolutional throughout.

No pooling and no hidden fully connected layers: strides shrink, fractional strides grow, and a
BatchNorm stands behind every layer but the generator's last and the discriminator's first. The
generator is deployed; of its weights 69% are in the first transposed convolution.

Source: Radford et al. 2015, arXiv:1511.06434, sections 3 and 4, figure 1; the game is Goodfellow
et al. 2014, arXiv:1406.2661, section 3.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

NOISE = 100
_CHANNELS = (1024, 512, 256, 128)
_SIDE = 4  # of the smallest feature maps


class Generator(nn.Module):
    """Images in [-1, 1], `(batch, 3, 64, 64)`, from noise `(batch, 100)`."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(NOISE, _CHANNELS[0] * _SIDE**2, bias=False)
        self.norm = nn.BatchNorm2d(_CHANNELS[0])
        layers: list[nn.Module] = []
        for before, after in zip(_CHANNELS, (*_CHANNELS[1:], 3), strict=True):
            last = after == 3
            layers.append(
                nn.ConvTranspose2d(before, after, 5, 2, padding=2, output_padding=1, bias=last)
            )
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(after), nn.ReLU()]
        self.grow = nn.Sequential(*layers)
        self.apply(_initialize)

    def forward(self, noise: Tensor) -> Tensor:
        """Draw one image for each row of noise."""
        small = self.project(noise).unflatten(1, (_CHANNELS[0], _SIDE, _SIDE))
        images: Tensor = self.grow(self.norm(small).relu())
        return images


class Discriminator(nn.Sequential):
    """Log-odds that an image is real, `(batch, 1)`: the generator's mirror, with leaky ReLUs."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((3, *_CHANNELS[:0:-1]), _CHANNELS[::-1], strict=True):
            first = before == 3
            layers.append(nn.Conv2d(before, after, 5, 2, padding=2, bias=first))
            layers += [] if first else [nn.BatchNorm2d(after)]
            layers.append(nn.LeakyReLU(0.2))
        layers += [nn.Flatten(), nn.Linear(_CHANNELS[0] * _SIDE**2, 1)]
        super().__init__(*layers)
        self.apply(_initialize)


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Return what the discriminator minimises, from its log-odds for both kinds of images."""
    return (functional.softplus(-real) + functional.softplus(generated)).mean()


def generator_loss(generated: Tensor) -> Tensor:
    """Return what the generator minimises: -log D(G(z)), which does not saturate."""
    return functional.softplus(-generated).mean()


def _initialize(layer: nn.Module) -> None:
    """Draw weights with a deviation of 0.02 (section 4)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1, 0.02)
    bias = getattr(layer, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)

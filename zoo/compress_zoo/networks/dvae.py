"""DALL-E's first stage: a discrete auto-encoder that writes an image as a grid of tokens.

An image of 256 x 256 becomes 32 x 32 tokens out of 8192, which the transformer models in place of
its 196,608 numbers. Training relaxes the tokens with a Gumbel softmax. The encoder and decoder are
residual networks; published is a width of 256, ours is smaller where not told otherwise.

Source: Ramesh et al. 2021, arXiv:2102.12092, section 2.1 and appendix A; widths, gains and the
order of convolutions are those of the authors' published encoder and decoder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY = 8192
_MULTIPLES = (1, 2, 4, 8)  # of the width, from group to group
_BLOCKS = 2  # in a group
_SQUEEZED = 0.1  # pixels are mapped to [0.1, 0.9], where their logits are bounded


class Block(nn.Module):
    """A residual block with a bottleneck of a quarter of the width; `kernels` are its sizes."""

    def __init__(self, before: int, after: int, kernels: Sequence[int]) -> None:
        super().__init__()
        inner = after // 4
        widths = itertools.pairwise((before, inner, inner, inner, after))
        layers: list[nn.Module] = []
        for (left, right), kernel in zip(widths, kernels, strict=True):
            layers += [nn.ReLU(), nn.Conv2d(left, right, kernel, padding=kernel // 2)]
        self.residual = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.gain = 1 / (len(_MULTIPLES) * _BLOCKS) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the shortcut and the scaled residual."""
        y: Tensor = self.shortcut(x) + self.gain * self.residual(x)
        return y


class DiscreteVAE(nn.Module):
    """Encoder to logits of tokens, decoder from (relaxed) tokens to the pixels' distribution.

    Args:
        width: channels of the encoder's first group and of the decoder's last.
        vocabulary: kinds of tokens.
    """

    def __init__(self, width: int = 64, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        widths = [multiple * width for multiple in _MULTIPLES]
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3),
            *_groups([width, *widths], (3, 3, 3, 1), lambda: nn.MaxPool2d(2)),
            nn.ReLU(),
            nn.Conv2d(widths[-1], vocabulary, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(vocabulary, width // 2, 1),
            *_groups(
                [width // 2, *widths[::-1]], (1, 3, 3, 3), lambda: nn.Upsample(scale_factor=2)
            ),
            nn.ReLU(),
            nn.Conv2d(width, 6, 1),
        )

    def tokens(self, images: Tensor) -> Tensor:
        """Return the tokens `(batch, h / 8, w / 8)` of images in [0, 1], `(batch, 3, h, w)`."""
        tokens: Tensor = self.encoder(_squeeze(images)).argmax(1)
        return tokens

    def images(self, tokens: Tensor) -> Tensor:
        """Return the images of a grid of tokens: the reverse of `tokens`."""
        one_hot = functional.one_hot(tokens, self.vocabulary).permute(0, 3, 1, 2).float()
        mean: Tensor = self.decoder(one_hot)[:, :3]
        return ((mean.sigmoid() - _SQUEEZED) / (1 - 2 * _SQUEEZED)).clamp(0, 1)

    def forward(self, images: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw relaxed tokens, decode.

        Returns:
            The logits of the tokens; mean and logarithm of the scale of the pixels' logits.
        """
        logits = self.encoder(_squeeze(images))
        relaxed = functional.gumbel_softmax(logits, temperature, dim=1)
        mean, log_scale = self.decoder(relaxed).chunk(2, dim=1)
        return logits, mean, log_scale


def dvae_loss(
    model: DiscreteVAE, images: Tensor, temperature: float, kl_weight: float = 6.6
) -> Tensor:
    """Return the negative lower bound, divided by the number of values in an image.

    Args:
        model: the auto-encoder.
        images: `(batch, 3, h, w)`, in [0, 1].
        temperature: of the relaxation; the paper goes from 1 to 1/16.
        kl_weight: beta; the paper raises it from 0 to 6.6.
    """
    logits, mean, log_scale = model(images, temperature)
    log_q = logits.log_softmax(1)
    divergence = (log_q.exp() * (log_q + math.log(log_q.shape[1]))).sum()  # from the uniform prior
    log_likelihood = logit_laplace(_squeeze(images), mean, log_scale).sum()
    loss: Tensor = (kl_weight * divergence - log_likelihood) / images.numel()
    return loss


def logit_laplace(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density of values in (0, 1) whose logit has a Laplace distribution."""
    distance = (x.logit() - mean).abs() / log_scale.exp()
    return -distance - log_scale - math.log(2) - torch.log(x * (1 - x))


def _squeeze(images: Tensor) -> Tensor:
    return _SQUEEZED + (1 - 2 * _SQUEEZED) * images


def _groups(
    widths: Sequence[int], kernels: Sequence[int], rescale: Callable[[], nn.Module]
) -> list[nn.Module]:
    """Return groups of blocks, each from one width to the next, with `rescale` between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        if layers:
            layers.append(rescale())
        layers += [Block(before if i == 0 else after, after, kernels) for i in range(_BLOCKS)]
    return layers

"""Variational auto-encoders on MNIST digits: Gaussian latents, and categorical ones.

Kingma & Welling train an encoder and a decoder together through z = mean + deviation * noise, a
draw whose gradient is known; Jang et al. do the same for classes, with Gumbel noise and a softmax
for the argmax. What is deployed to generate is the decoder: two fully connected layers, of which
the one to the 784 pixels holds most weights. The encoders and the bounds stand beside it.

Source: Kingma & Welling 2013, arXiv:1312.6114, sections 3 and 5, appendices B and C; Jang et al.
2016, arXiv:1611.01144, sections 2 and 4.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PIXELS = 28 * 28
LATENTS = 20
VARIABLES, CLASSES = 20, 10  #: of the categorical latent space


class Decoder(nn.Module):
    """Probability that each pixel is on, `(batch, 784)`, from latents.

    Args:
        latents: numbers in one sample's latents; all dimensions behind the batch are flattened.
        hidden: units of the hidden layer.
        activation: of the hidden layer.
    """

    def __init__(self, latents: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.hidden = nn.Linear(latents, hidden)
        self.activation = activation
        self.pixels = nn.Linear(hidden, PIXELS)

    def logits(self, latents: Tensor) -> Tensor:
        """Return the logarithms of the odds, `(batch, 784)`."""
        logits: Tensor = self.pixels(self.activation(self.hidden(latents.flatten(1))))
        return logits

    def forward(self, latents: Tensor) -> Tensor:
        """Return the pixels' probabilities."""
        return self.logits(latents).sigmoid()


class GaussianEncoder(nn.Module):
    """Mean and logarithm of the variance of the latents, each `(batch, 20)`, from pixels."""

    def __init__(self, hidden: int = 500) -> None:
        super().__init__()
        self.hidden = nn.Linear(PIXELS, hidden)
        self.mean = nn.Linear(hidden, LATENTS)
        self.log_variance = nn.Linear(hidden, LATENTS)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance."""
        hidden = self.hidden(pixels).tanh()
        return self.mean(hidden), self.log_variance(hidden)


class CategoricalEncoder(nn.Linear):
    """Logits of the categorical latents, `(batch, 20, 10)`, from pixels."""

    def __init__(self) -> None:
        super().__init__(PIXELS, VARIABLES * CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits of each variable's classes."""
        return super().forward(pixels).view(-1, VARIABLES, CLASSES)


def gaussian_elbo(encoder: GaussianEncoder, decoder: Decoder, pixels: Tensor) -> Tensor:
    """Return the lower bound of log p(x), mean over the batch, with one draw of the noise.

    Source: Kingma & Welling, equation 10; the divergence from the prior N(0, 1) is exact.
    """
    mean, log_variance = encoder(pixels)
    latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    divergence: Tensor = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
    return (_log_likelihood(decoder, latents, pixels) - divergence).mean()


def categorical_elbo(
    encoder: CategoricalEncoder, decoder: Decoder, pixels: Tensor, temperature: float
) -> Tensor:
    """Return the lower bound of log p(x), mean over the batch, with Gumbel-softmax draws.

    The divergence is that of the categorical distributions from the uniform one.
    """
    logits = encoder(pixels)
    latents = functional.gumbel_softmax(logits, temperature)
    log_q = logits.log_softmax(-1)
    divergence: Tensor = (log_q.exp() * (log_q + math.log(CLASSES))).sum((1, 2))
    return (_log_likelihood(decoder, latents, pixels) - divergence).mean()


def annealed_temperature(step: int, rate: float = 1e-5, last: float = 0.5) -> float:
    """Return the softmax temperature at a step of the training (Jang et al., section 4.2)."""
    return max(last, math.exp(-rate * step))


def _log_likelihood(decoder: Decoder, latents: Tensor, pixels: Tensor) -> Tensor:
    logits = decoder.logits(latents)
    return -functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(1)

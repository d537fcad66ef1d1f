"""How much an error in each weight changes the outputs: the diagonal of the Fisher information.

For scores of classes the labels are drawn from the network's own outputs, so none are needed; for
other outputs the information is that of a Gaussian around them. With drawn labels the gradients of
different samples do not correlate, so the squared gradient of a small batch's sum is right on
average.

Source: Choi, El-Khamy & Lee 2016, arXiv:1612.01543, sec. 4; Kunstner et al. 2019,
arXiv:1905.12558, on drawn labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from compress.passes.weights import TorchWeight

Inputs = tuple[Tensor, ...]  # an input each


def fisher_diagonal(
    model: nn.Module, weights: Sequence[TorchWeight], batches: Iterable[Inputs], *, seed: int
) -> dict[str, Tensor]:
    """Return the mean squared derivative of the log-likelihood by each weight, of its shape.

    Args:
        model: its first output counts.
        weights: of the model.
        batches: of what it takes, an input each, on its device; few samples to each.
        seed: of the drawn labels.
    """
    model.eval()
    parameters = [weight.parameter for weight in weights]
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    n = 0  # samples
    generator = torch.Generator().manual_seed(seed)
    required = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)
    with torch.enable_grad():
        for batch in batches:
            n += len(batch[0])
            returned = model(*batch)
            outputs = returned if isinstance(returned, Tensor) else returned[0]
            gradients = torch.autograd.grad(
                _drawn_likelihood(outputs, generator), parameters, allow_unused=True
            )
            for total, gradient in zip(sums, gradients, strict=True):
                if gradient is not None:
                    total += gradient.square()
    for parameter, before in zip(parameters, required, strict=True):
        parameter.requires_grad_(before)
    return {w.name: total / n for w, total in zip(weights, sums, strict=True)}


def _drawn_likelihood(outputs: Tensor, generator: torch.Generator) -> Tensor:
    """Return the log-likelihood of values that are drawn from what the outputs say."""
    if outputs.ndim == 2:
        chances = outputs.detach().softmax(1).cpu()
        labels = torch.multinomial(chances, 1, generator=generator).to(outputs.device)
        return outputs.log_softmax(1).gather(1, labels).sum()
    noise = torch.randn(outputs.shape, generator=generator).to(outputs.device)
    return (outputs * noise).sum()

"""CapsNet: vectors in place of scalar features, routed to the whole that they agree on.

A capsule's length is the probability that its entity is there, its direction says how it looks.

Source: Sabour et al. 2017, arXiv:1710.09829.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_TYPES, _PRIMARY = 32, 8  # primary capsules: kinds, dimension
_DIGIT = 16  # dimension of a digit's capsule
_GRID = 6  # height and width of the primary capsules
_CAPSULES = _TYPES * _GRID**2  # 1152
_ROUTINGS = 3


class CapsNet(nn.Module):
    """Lengths of the digit capsules, `(batch, classes)`, from images `(batch, 1, 28, 28)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.conv1 = nn.Conv2d(1, 256, 9)  # (256, 20, 20)
        self.primary = nn.Conv2d(256, _TYPES * _PRIMARY, 9, stride=2)  # (256, 6, 6)
        # Each capsule's matrices W_ij, for all classes j: a convolution with a group a capsule.
        self.predict = nn.Conv1d(
            _CAPSULES * _PRIMARY, _CAPSULES * classes * _DIGIT, 1, groups=_CAPSULES, bias=False
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the lengths, which are the scores of the classes."""
        lengths: Tensor = self.capsules(images).norm(dim=-1)
        return lengths

    def capsules(self, images: Tensor) -> Tensor:
        """Return the digit capsules, `(batch, classes, 16)`."""
        maps = self.primary(functional.relu(self.conv1(images)))
        primary = maps.unflatten(1, (_TYPES, _PRIMARY)).permute(0, 1, 3, 4, 2).flatten(1, 3)
        predictions = self.predict(squash(primary).flatten(1).unsqueeze(-1))
        return route(predictions.view(-1, _CAPSULES, self.classes, _DIGIT), _ROUTINGS)


class Decoder(nn.Module):
    """Images, `(batch, 784)`, from the digit capsules of one class: what regularizes training.

    Source: section 4.1, figure 2.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(classes * _DIGIT, 512),
            nn.ReLU(),
            nn.Linear(512, 1024),
            nn.ReLU(),
            nn.Linear(1024, 28 * 28),
            nn.Sigmoid(),
        )

    def forward(self, capsules: Tensor, labels: Tensor) -> Tensor:
        """Return the image that the capsule of each label describes; the others are masked."""
        mask = functional.one_hot(labels, capsules.shape[1]).to(capsules.dtype)
        images: Tensor = self.layers((capsules * mask.unsqueeze(-1)).flatten(1))
        return images


def squash(x: Tensor) -> Tensor:
    """Shrink vectors, along the last dimension, to lengths in [0, 1).

    Source: equation 1.
    """
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return x * (length / (1 + length.square()))


def route(predictions: Tensor, iterations: int) -> Tensor:
    """Send each capsule's predictions to the parents that agree with them.

    Source: procedure 1.

    Args:
        predictions: u_j|i, shape `(batch, capsules, parents, dimension)`.
        iterations: of routing, at least one.

    Returns:
        The parents, shape `(batch, parents, dimension)`.
    """
    logits = torch.zeros_like(predictions[..., 0])
    for iteration in range(iterations):
        coupling = logits.softmax(dim=-1)
        parents = squash((coupling.unsqueeze(-1) * predictions).sum(dim=1))
        if iteration < iterations - 1:
            logits = logits + (predictions * parents.unsqueeze(1)).sum(dim=-1)
    return parents


def margin_loss(lengths: Tensor, labels: Tensor) -> Tensor:
    """Return the loss that makes the right capsule long and the others short.

    Source: equation 4, with m+ = 0.9, m- = 0.1 and lambda = 0.5.
    """
    present = functional.one_hot(labels, lengths.shape[1])
    loss = present * functional.relu(0.9 - lengths).square()
    loss = loss + 0.5 * (1 - present) * functional.relu(lengths - 0.1).square()
    return loss.sum(dim=1).mean()


def loss(network: CapsNet, decoder: Decoder, images: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of training: margins and, at 0.0005 a pixel, reconstruction.

    Source: sections 3 and 4.1.
    """
    capsules = network.capsules(images)
    errors: Tensor = (decoder(capsules, labels) - images.flatten(1)).square().sum(dim=1)
    return margin_loss(capsules.norm(dim=-1), labels) + 0.0005 * errors.mean()

"""PIRL: a ResNet-50 that must give an image and its jigsaw of nine patches the same vector.

Pretext tasks had features tell how an image was changed; here they must not depend on it. The
trunk runs once over the image and over each patch; a linear head for the image and two for the
patches map to 128 numbers. Nearly all of the 24 million weights are the trunk's.

Source: Misra & van der Maaten 2019, arXiv:1912.01991.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.errors import ZooError
from compress_zoo.networks.memory_bank import log_probabilities

WIDTH, PATCHES, FEATURES = 128, 9, 2048
_IMAGE_SIDE, _CELL, _PATCH = 225, 75, 64


class PIRL(nn.Module):
    """Vectors of length 1 of images and of their patches, each `(batch, 128)`.

    Args:
        trunk: gives 2048 features, averaged over the image.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.image_head = nn.Linear(FEATURES, WIDTH)  # f
        self.patch_head = nn.Linear(FEATURES, WIDTH)  # g: each patch, then all of them
        self.jigsaw_head = nn.Linear(PATCHES * WIDTH, WIDTH)

    def forward(self, image: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return f of the image and g of the patches.

        Args:
            image: `(batch, 3, 224, 224)`.
            patches: `(batch, 9, 3, 64, 64)`, in any order.
        """
        of_image = self.image_head(self.trunk(image))
        each = self.patch_head(self.trunk(patches.flatten(0, 1))).unflatten(0, (-1, PATCHES))
        of_patches = self.jigsaw_head(each.flatten(1))
        return functional.normalize(of_image, dim=1), functional.normalize(of_patches, dim=1)


def jigsaw(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return shuffled patches `(batch, 9, 3, 64, 64)` of images `(batch, 3, 225, 225)`.

    Each is cut at random out of its cell of a 3 x 3 grid, so that borders give nothing away.

    Raises:
        ZooError: when the images have another size.
    """
    if images.shape[-2:] != (_IMAGE_SIDE, _IMAGE_SIDE):
        raise ZooError(f"images must be 225 x 225, got {tuple(images.shape[-2:])}")
    shuffled = []
    for picture in images:
        order = torch.randperm(PATCHES, generator=generator).tolist()
        offsets = torch.randint(_CELL - _PATCH + 1, (PATCHES, 2), generator=generator).tolist()
        patches = []
        for cell, (down, right) in zip(order, offsets, strict=True):
            top, left = cell // 3 * _CELL + down, cell % 3 * _CELL + right
            patches.append(picture[:, top : top + _PATCH, left : left + _PATCH])
        shuffled.append(torch.stack(patches))
    return torch.stack(shuffled)


def pirl_loss(
    of_image: Tensor, of_patches: Tensor, remembered: Tensor, negatives: Tensor, weight: float = 0.5
) -> Tensor:
    """Return the loss: patches and image are both drawn to what is remembered of the image.

    Args:
        of_image: f, `(batch, 128)`.
        of_patches: g, `(batch, 128)`.
        remembered: the images' vectors in the memory bank, `(batch, 128)`.
        negatives: vectors of other images from the bank, `(count, 128)`.
        weight: lambda, of the patches' part.
    """
    of_g, of_f = (_nce(vectors, remembered, negatives) for vectors in (of_patches, of_image))
    return weight * of_g + (1 - weight) * of_f


def _nce(vectors: Tensor, remembered: Tensor, negatives: Tensor) -> Tensor:
    """Return -log h of the positive, less log (1 - h) of every negative."""
    log_h = log_probabilities(vectors, remembered, negatives)
    others = torch.log1p(-log_h[:, 1:].exp().clamp(max=1 - 1e-6))
    return -(log_h[:, 0] + others.sum(1)).mean()

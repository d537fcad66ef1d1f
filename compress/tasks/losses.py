"""The losses of this package's own tasks: torch's, each the mean of a batch. It needs torch."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor

from compress.errors import DataError
from compress.tasks import similarity
from compress.tasks.outputs import first_of


def cross_entropy(
    outputs: Any,  # noqa: ANN401  (the network's own)
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of scores `(n, classes, ...)` with labels `(n, ...)`."""
    return F.cross_entropy(first_of(outputs), targets, label_smoothing=label_smoothing)


def squared_error(outputs: Any, targets: Tensor) -> Tensor:  # noqa: ANN401
    """Return the mean squared error; an axis of one that either side lacks is no matter."""
    found: Tensor = first_of(outputs)
    if found.numel() != targets.numel():
        raise DataError(
            f"an output must have the shape of its targets, {tuple(targets.shape)}, "
            f"got {tuple(found.shape)}"
        )
    return F.mse_loss(found.reshape(targets.shape), targets)


def cosine_error(outputs: Any, targets: tuple[Tensor, Tensor], highest: float) -> Tensor:  # noqa: ANN401
    """Return the mean squared error of pairs' cosines with scores that are divided by `highest`.

    Args:
        outputs: see `metrics.alike`.
        targets: scores `(n,)`, and the mask of the sentences `(2n, tokens)`.
        highest: score of two sentences that mean the same.
    """
    scores, mask = targets
    found: Tensor = first_of(outputs)
    similarity.require_vectors(tuple(found.shape), tuple(mask.shape))
    if found.ndim == 3:
        kept = mask[..., None].to(found.dtype)
        found = (found * kept).sum(1) / kept.sum(1).clamp(min=1)
    return F.mse_loss(F.cosine_similarity(found[::2], found[1::2]), scores / highest)

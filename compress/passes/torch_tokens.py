"""What the places of a sequence tell: padding nothing, and each token as much as any other.

A few tokens of a text (the first, a full stop) have values a hundred times as large as all others,
and would decide every sum. The normalisation behind a layer divides each token by its size, so that
an error counts as a part of it.
"""

from __future__ import annotations

from torch import Tensor

_LEAST = 1e-6  # size of a token


def tokens_in(batch: tuple[Tensor, ...]) -> Tensor | None:
    """Return what tells tokens from padding, shape `(n, length)`; None where no input does.

    It is an input of whole numbers whose rows are ones and then zeros.
    """
    for given in batch:
        if given.ndim != 2 or given.is_floating_point() or not given.numel():
            continue
        is_mask = bool(((given == 0) | (given == 1)).all()) and bool((given[:, 0] == 1).all())
        if is_mask and bool((given[:, 1:] <= given[:, :-1]).all()):
            return given.bool()
    return None


def at_tokens(values: Tensor, tokens: Tensor | None) -> Tensor:
    """Return the rows of tokens alone, where values `(n, length, width)` have a row for each."""
    if tokens is None or values.ndim != 3 or values.shape[:2] != tokens.shape:
        return values
    return values[tokens]


def of_one_size(tokens: Tensor) -> Tensor:
    """Divide each token by its size, shape `(..., width)`."""
    return tokens / tokens.square().mean(-1, keepdim=True).sqrt().clamp(min=_LEAST)


def level_of_tokens(tokens: Tensor) -> Tensor:
    """Return the mean of each channel, where an error counts as a part of a token's size."""
    rows = tokens.reshape(-1, tokens.shape[-1])
    weights = 1 / rows.square().mean(1, keepdim=True).clamp(min=_LEAST**2)
    return (rows * weights).sum(0) / weights.sum()

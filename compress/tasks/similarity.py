"""How well vectors of sentences rank pairs by meaning.

A sentence's vector is the mean of its tokens' last hidden states, padding left out, or what the
network gives for the whole sentence. The figure is Spearman's correlation of the pairs' cosines
with the scores that people gave.

Source: Reimers and Gurevych 2019, arXiv:1908.10084, sec. 3 and 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

Floats = NDArray[np.float64]


def vectors(output: NDArray[Any], mask: NDArray[Any]) -> Floats:
    """Return a vector for each sentence, shape `(n, width)`.

    Args:
        output: hidden states `(n, tokens, width)`, or vectors `(n, width)` as they are.
        mask: 1 for a token and 0 for padding, shape `(n, tokens)`.

    Raises:
        DataError: when the output is neither.
    """
    require_vectors(tuple(output.shape), tuple(mask.shape))
    return pool(output, mask) if output.ndim == 3 else output.astype(np.float64)


def require_vectors(output: tuple[int, ...], mask: tuple[int, ...]) -> None:
    """Raise `DataError` for the shape of an output that holds no vectors of sentences."""
    states = len(output) == 3 and output[:2] == mask
    if not states and not (len(output) == 2 and output[0] == mask[0]):
        raise DataError(
            f"the first output must hold a vector a token or a sentence, got {output} for {mask}"
        )


def pool(states: NDArray[Any], mask: NDArray[Any]) -> Floats:
    """Return the mean of the tokens that a mask leaves, shape `(n, width)`; 0 where it leaves none.

    Args:
        states: shape `(n, tokens, width)`.
        mask: 1 for a token and 0 for padding, shape `(n, tokens)`.

    >>> pool(np.array([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]]), np.array([[1, 1, 0]]))
    array([[2., 4.]])
    """
    sums: Floats = np.where(mask[..., None] != 0, states, 0).sum(1, dtype=np.float64)
    counts: Floats = mask.sum(1, dtype=np.float64, keepdims=True)
    return sums / np.maximum(counts, 1)


def cosines(first: Floats, second: Floats) -> Floats:
    """Return the cosine of each pair of vectors, shape `(n,)`; 0 where one has no length.

    >>> cosines(np.array([[1.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([0.6])
    """
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: Floats = (first * second).sum(1) / np.maximum(norms, np.finfo(np.float64).tiny)
    return found


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return Spearman's rank correlation, in [-1, 1]; raise `DataError` where all are equal.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    x, y = (found - found.mean() for found in (ranks(a), ranks(b)))
    spread = float(np.sqrt((x @ x) * (y @ y)))
    if spread == 0:
        raise DataError("a rank correlation needs values that differ")
    return float(x @ y) / spread


def ranks(values: NDArray[Any]) -> Floats:
    """Return the rank of each value, from 1; equal values share the mean of their ranks.

    >>> ranks(np.array([5, 7, 5, 9]))
    array([1.5, 3. , 1.5, 4. ])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[places]

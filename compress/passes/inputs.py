"""What the inputs of a layer tell of its errors: which add up, and which cancel.

A layer's output is off by its weights' errors times its inputs, so the squared error is decided by
the inputs' mean outer product. Its inverse tells how much of a weight's error those behind it can
take back.

Sources: Hassibi & Stork 1993, "Optimal brain surgeon"; layer by layer, and the Cholesky factor,
Frantar et al. 2022, "GPTQ", arXiv:2210.17323, sec. 3; more damping for fewer samples, after Ledoit
& Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.kernels.rate import Quantized, compensate
from compress.kernels.surgeon import reconstruct
from compress.passes.network import Moments, Network, Samples, Values, Weight

PLACES = 64  # of an image, up to four times as many: neighbouring places tell the same
ROWS = 256  # of a sequence, up to twice as many
BLOCK = 1024  # inputs whose errors are seen together: a factor is no larger than this squared
_DAMPING = 0.01  # of the mean square of an input, and as much again as inputs per place seen


@dataclass(frozen=True, slots=True)
class Factor:
    """How errors in some columns of a weight, seen as a matrix, make up for one another."""

    group: int  #: of a grouped convolution, else 0
    columns: NDArray[np.intp]  #: in the order in which they are chosen, shape `(n,)`
    upper: Values  #: triangular U: `U.T @ U` is the inverse of the mean outer product, `(n, n)`


def input_factors(
    network: Network, weights: Sequence[Weight], samples: Samples
) -> dict[str, list[Factor]]:
    """Return the factors of each linear or convolution layer (1-d, 2-d) that the network calls.

    They are scaled so that an error counts 1 in the mean of a layer's weights. Weights of other
    layers have none, nor have those that other layers share, and those whose inputs overflow.

    Args:
        network: before compression.
        weights: of the network.
        samples: what it takes.
    """
    sums = dict(network.moments(weights, samples))
    factors = {}
    for name in list(sums):
        moments = sums.pop(name)  # as large as the factors are
        if moments.places and all(np.isfinite(block).all() for block in moments.blocks):
            factors[name] = _factors(moments)
    return factors


def compensated(
    weight: Weight,
    values: Values,
    importance: Values | None,
    found: Quantized,
    factors: Sequence[Factor],
) -> Quantized:
    """Choose a weight's codes anew, so that their errors cancel on the layer's inputs.

    Args:
        weight: whose shape counts.
        values: before quantization, shape `(n,)`.
        importance: weight of each number's squared error, shape `(n,)`; None for 1.
        found: what `values` became when each stood alone.
        factors: of the layer.
    """
    shape = _by_group(weight, factors)
    rows, codes = values.reshape(shape), np.empty_like(found.codes).reshape(shape)
    weights = None if importance is None else importance.reshape(shape)
    choices = found.choices()
    for factor in factors:
        group, columns = factor.group, factor.columns
        weighted = None if weights is None else weights[group][:, columns]
        codes[group][:, columns] = compensate(
            rows[group][:, columns], weighted, choices, factor.upper
        )
    return found.recoded(codes.reshape(-1))


def reconstructed(
    weight: Weight, values: Values, keep: NDArray[np.bool_], factors: Sequence[Factor]
) -> Values:
    """Return a weight in which what is left makes up for what is pruned, on the layer's inputs.

    Args:
        weight: whose shape counts.
        values: before pruning, shape `(n,)`.
        keep: what is not pruned, shape `(n,)`.
        factors: of the layer.
    """
    shape = _by_group(weight, factors)
    rebuilt, kept = values.reshape(shape).copy(), keep.reshape(shape)
    for factor in factors:
        group, columns = factor.group, factor.columns
        rebuilt[group][:, columns] = reconstruct(
            rebuilt[group][:, columns], kept[group][:, columns], factor.upper
        )
    return rebuilt.reshape(-1)


def _by_group(weight: Weight, factors: Sequence[Factor]) -> tuple[int, int, int]:
    """Return the shape of a weight as a matrix for each group."""
    groups = 1 + max(factor.group for factor in factors)
    return groups, weight.shape[0] // groups, -1


def _factors(moments: Moments) -> list[Factor]:
    """Return the factors of one layer; each block becomes one a group."""
    squares = [np.diagonal(block, axis1=1, axis2=2) for block in moments.blocks]
    mean = max(float(np.concatenate(squares, axis=1).mean()), 1e-30)
    found = []
    begin = 0
    for summed, own in zip(moments.blocks, squares, strict=True):
        n = summed.shape[1]
        damping = _DAMPING + n / moments.places
        orders = np.argsort(-own, axis=1, kind="stable")
        for group, order in enumerate(orders):
            block = summed[group][np.ix_(order, order)] / mean
            block[np.diag_indices(n)] += damping
            found.append(Factor(group, begin + order, _upper(block)))
        begin += n
    curvatures = np.concatenate([1 / factor.upper.diagonal() ** 2 for factor in found])
    scale = np.sqrt(curvatures.mean(dtype=np.float64)).astype(np.float32)
    for factor in found:
        factor.upper[...] *= scale
    return found


def _upper(block: NDArray[np.float64]) -> Values:
    """Return the triangular U whose `U.T @ U` is the inverse of a positive definite matrix."""
    # The matrix is R @ R.T, R the factor of what is turned around, and U is the inverse of R.
    lower = np.linalg.cholesky(block[::-1, ::-1])
    return np.triu(np.linalg.inv(lower[::-1, ::-1])).astype(np.float32)

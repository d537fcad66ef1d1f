"""One price of a bit for all layers: which codes it gives, and what price gives a size.

A layer in which errors cost more, or whose weights are spread wider, gets more bits at the same
price; that is what makes the sum of errors least for the sum of bits.

Sources: Choi, El-Khamy & Lee 2016, arXiv:1612.01543, sec. 5 (entropy-constrained sharing, Fisher
weights); Shoham & Gersho 1988 (one slope for all).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compress.kernels import rate
from compress.passes.sharing import Found, SharedLayer, each

_CENTROID_BITS = 10  # about what one takes in the file
_NEAR = 0.00125  # of a size is near enough
_STEPS = 18


def limits(layers: Sequence[SharedLayer]) -> tuple[float, float]:
    """Return logarithms of prices: float32 tells no change, and nearly all becomes zero."""
    squares = sum(float(np.square(layer.values, dtype=np.float64).sum()) for layer in layers)
    count = sum(int(np.count_nonzero(layer.values)) for layer in layers)
    known = [layer.importance for layer in layers if layer.importance is not None]
    mean = float(np.mean([held.mean() for held in known])) if known else 1.0
    high = float(np.log(max(mean * squares / max(count, 1), 1e-30))) + 3
    return high - 30, high


def at_price(layers: Sequence[SharedLayer], max_bits: int, log_price: float) -> Found:
    """Quantize all layers at one price of a bit."""
    price, most = float(np.exp(log_price)), (1 << max_bits) - 1
    return each(layers, lambda own: rate.quantize(own.values, own.importance, price, most))


def at_size(
    layers: Sequence[SharedLayer], max_bits: int, n_bytes: float, within: tuple[float, float]
) -> Found:
    """Quantize all layers at the lowest price at which their entropy is at most `n_bytes`."""
    low, high = within
    found = at_price(layers, max_bits, high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tried = at_price(layers, max_bits, middle)
        if entropy_bytes(tried) <= n_bytes:
            high, found = middle, tried
        else:
            low = middle
        if abs(entropy_bytes(found) / max(n_bytes, 1) - 1) < _NEAR:
            break
    return found


def entropy_bytes(found: Found) -> float:
    """Return about what the codes and codebooks take in a file."""
    return sum(q.bits + _CENTROID_BITS * len(q.centroids) for q in found.values()) / 8

"""One price of a bit for all layers: which codes it gives, and what price gives a size.

A layer in which errors cost more, or whose weights are spread wider, gets more bits at the same
price; that is what makes the sum of errors least for the sum of bits.

Sources: Choi, El-Khamy & Lee 2016, arXiv:1612.01543, sec. 5 (entropy-constrained sharing, Fisher
weights); Shoham & Gersho 1988 (one slope for all).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compress.kernels import rate
from compress.passes.sharing import Found, SharedLayer, each

NEAR = 0.00125  # of a size is near enough
_CENTROID_BITS = 10  # about what one takes in the file
_SLOPE = 16 * math.log(2)  # weights times the logarithm of a price, to a byte of their entropy
_BISECTED = 6  # from this step on, where the curve is no line
_STEPS = 24
_FINEST = 1e-3  # logarithm of two prices that are one


class Curve:
    """What layers become at each price, and how many bytes of entropy that is.

    A price is looked up once: a search goes on from those that are known.
    """

    def __init__(self, layers: Sequence[SharedLayer], max_bits: int) -> None:
        self.layers, self.max_bits = layers, max_bits
        squares = sum(float(np.square(own.values, dtype=np.float64).sum()) for own in layers)
        count = sum(int(np.count_nonzero(own.values)) for own in layers)
        known = [own.importance for own in layers if own.importance is not None]
        mean = float(np.mean([held.mean() for held in known])) if known else 1.0
        self.weights = count
        #: logarithms of prices: all but a few become zero, and float32 tells no change
        self.high = math.log(max(mean * squares / max(count, 1), 1e-30)) + 3
        self.low = self.high - 30
        self._entropies: dict[float, float] = {}
        self._last: tuple[float, Found] | None = None

    def at(self, price: float) -> Found:
        """Quantize all layers at the logarithm of a price."""
        if self._last is None or self._last[0] != price:
            worth, most = math.exp(price), (1 << self.max_bits) - 1
            found = each(
                self.layers, lambda own: rate.quantize(own.values, own.importance, worth, most)
            )
            self._last = price, found
            self._entropies[price] = entropy_bytes(found)
        return self._last[1]

    def price_of(self, n_bytes: float) -> float:
        """Return the logarithm of about the lowest price whose entropy is at most `n_bytes`.

        It is `high` where none is, and `low` where all are.
        """
        for step in range(_STEPS):
            price = self._guess(n_bytes, step)
            if price in self._entropies:
                break
            self.at(price)
            if 0 <= 1 - self._entropies[price] / max(n_bytes, 1) < 2 * NEAR:
                break
        return min(self._fitting(n_bytes), default=self.high)

    def entropy(self, price: float) -> float:
        """Return the entropy in bytes at the logarithm of a price."""
        if price not in self._entropies:
            self.at(price)
        return self._entropies[price]

    def _fitting(self, n_bytes: float) -> list[float]:
        return [price for price, entropy in self._entropies.items() if entropy <= n_bytes]

    def _guess(self, n_bytes: float, step: int) -> float:
        """Return the next price to look at; one that is known where there is none better."""
        fits = min(self._fitting(n_bytes), default=None)
        fails = max((p for p, e in self._entropies.items() if e > n_bytes), default=None)
        aim = (1 - NEAR) * n_bytes
        if fits is None and fails is None:
            # At high rates a bit more a weight lowers the price to a quarter.
            price = self.high - 4 - _SLOPE * aim / max(self.weights, 1)
        elif fits is None:
            assert fails is not None
            price = fails + max(self._bits_to_price(self._entropies[fails] - aim), 0.1)
        elif fails is None:
            price = fits - max(self._bits_to_price(aim - self._entropies[fits]), 0.1)
        else:
            width = fits - fails
            if width < _FINEST:
                return fits
            above = self._entropies[fails] - aim
            part = above / (self._entropies[fails] - self._entropies[fits])
            part = min(max(part, 0.02), 0.98) if step < _BISECTED else 0.5
            price = fails + part * width
        return min(max(price, self.low), self.high)

    def _bits_to_price(self, n_bytes: float) -> float:
        return _SLOPE * n_bytes / max(self.weights, 1)


def entropy_bytes(found: Found) -> float:
    """Return about what the codes and codebooks take in a file."""
    return sum(q.bits + _CENTROID_BITS * len(q.centroids) for q in found.values()) / 8

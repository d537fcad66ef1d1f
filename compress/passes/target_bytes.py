"""Weight sharing for a size of the file: the one price of a bit whose file fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from compress.errors import SettingsError, require
from compress.passes.chosen import all_of
from compress.passes.context import Context, Passed
from compress.passes.network import Differentiable, Network, Values, Weight
from compress.passes.prices import Curve
from compress.passes.settings import TargetBytesSettings
from compress.passes.sharing import cancelling, sharing

_TRIES = 6  # at the size of the real file
_NEAR = 0.995  # of the target is near enough


class Size(Protocol):
    """Measures the file at a price."""

    def __call__(self, price: float, *, with_biases: bool) -> int:
        """Return its bytes, where biases are moved or left as they were."""


def to_size(network: Network, settings: TargetBytesSettings, context: Context) -> Passed:
    """Share a network's weights in place, as well as a size of the file allows.

    A weight that is zero stays zero; others may become zero. Errors are made to cancel and biases
    are moved only where that brings the outputs of samples held apart nearer to what they were.

    Raises:
        SettingsError: when the size cannot be reached, or samples are needed and there are none.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    file_bytes = context.file_bytes
    require(file_bytes is not None, "target_bytes", "of a file that can be measured", None)
    assert file_bytes is not None
    weights, skipped = all_of(network)
    importance = _importance(network, weights, settings, context)
    shared = sharing(network, weights, context, settings.samples, importance=importance)
    curve = Curve(shared.layers, settings.max_bits)

    def write(price: float, *, with_biases: bool) -> None:
        found = curve.at(price)
        shared.write(found, lambda: cancelling(shared.layers, found))
        if with_biases:
            shared.correct()

    def size(price: float, *, with_biases: bool) -> int:
        write(price, with_biases=with_biases)
        n_bytes = file_bytes(network)
        context.note(f"a try takes {n_bytes:,} B")
        return n_bytes

    has_biases = shared.steps is not None
    price, last = _search(curve, settings.target_bytes, size, has_biases=has_biases)
    if price != last:
        write(price, with_biases=True)
    passed = shared.passed(skipped, dict.fromkeys((w.name for w in weights), settings.max_bits))
    if not passed.nonzero:
        raise SettingsError(
            f"target_bytes must leave some weights, got {settings.target_bytes}: all became zero"
        )
    return passed


def _importance(
    network: Network, weights: Sequence[Weight], settings: TargetBytesSettings, context: Context
) -> Mapping[str, Values] | None:
    """Return what a squared error counts, by weight; None where all count the same."""
    if settings.importance == "none":
        return None
    samples = context.samples(settings.samples) if context.samples and context.are_real else None
    if not isinstance(network, Differentiable) or samples is None or not settings.samples:
        raise SettingsError(
            f"importance {settings.importance} needs torch and samples of a task's training part; "
            "give --task"
        )
    found = network.fisher(weights, samples, context.seed)
    if settings.importance == "weight":
        return found
    return {name: np.full_like(held, held.mean()) for name, held in found.items()}


def _search(curve: Curve, target: int, size: Size, *, has_biases: bool) -> tuple[float, float]:
    """Find the lowest price whose file fits; the entropy stands for the file on the way there.

    The first try is without biases: it hardly ever is the last.

    Returns:
        Its logarithm, and that of the price that was looked at last.

    Raises:
        SettingsError: when there is none.
    """
    aim, fits, fails = float(target), 0.0, math.inf  # entropies: to try, and the nearest that were
    best: tuple[int, float] | None = None
    price = curve.high
    for number in range(_TRIES):
        price = curve.price_of(aim)
        is_rough = number == 0 and has_biases
        n_bytes = size(price, with_biases=not is_rough)
        is_done = n_bytes >= _NEAR * target or price == curve.low
        if is_rough and n_bytes <= target and is_done:
            n_bytes = size(price, with_biases=True)
        if n_bytes <= target:
            if best is None or n_bytes > best[0]:
                best = n_bytes, price
            if is_done:
                break
            fits = max(fits, aim)
        else:
            if curve.entropy(price) <= curve.entropy(curve.high):
                break
            fails = min(fails, aim, curve.entropy(price))
        # A file takes about the same part of its entropy at sizes that are near.
        aim = curve.entropy(price) * (1 + _NEAR) / 2 * target / n_bytes
        if not fits < aim < fails:
            aim = (fits + fails) / 2
    if best is None:
        least, most = (size(limit, with_biases=False) for limit in (curve.high, curve.low))
        raise SettingsError(
            f"target_bytes must be a size that can be reached, got {target}; files of "
            f"{least} to {most} bytes can be, with codes of at most {curve.max_bits} bits"
        )
    return best[1], price

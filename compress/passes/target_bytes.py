"""Weight sharing for a size of the file: the one price of a bit whose file fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from compress.errors import SettingsError, require
from compress.passes.chosen import all_of
from compress.passes.context import Context, Passed
from compress.passes.network import Differentiable, Network, Values, Weight
from compress.passes.prices import at_price, at_size, entropy_bytes, limits
from compress.passes.settings import TargetBytesSettings
from compress.passes.sharing import Found, SharedLayer, sharing

_TRIES = 6  # at the size of the real file
_NEAR = 0.995  # of the target is near enough


def to_size(network: Network, settings: TargetBytesSettings, context: Context) -> Passed:
    """Share a network's weights in place, as well as a size of the file allows.

    A weight that is zero stays zero; others may become zero. Errors are made to cancel and biases
    are moved only where that brings the outputs of samples held apart nearer to what they were.

    Raises:
        SettingsError: when the size cannot be reached, or samples are needed and there are none.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    require(context.file_bytes is not None, "target_bytes", "measured on a file", "none")
    weights, skipped = all_of(network)
    importance = _importance(network, weights, settings, context)
    shared = sharing(network, weights, context, settings.samples, importance)
    file_bytes = context.file_bytes
    assert file_bytes is not None

    def apply(found: Found) -> int:
        shared.apply(found)
        n_bytes = file_bytes(network)
        context.note(f"a try takes {n_bytes:,} B")
        return n_bytes

    _search(shared.layers, settings, apply)
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


def _search(
    layers: Sequence[SharedLayer], settings: TargetBytesSettings, apply: Callable[[Found], int]
) -> None:
    """Find the lowest price whose file fits; the entropy stands for the file on the way there."""
    target, max_bits, within = settings.target_bytes, settings.max_bits, limits(layers)
    least, most = (entropy_bytes(at_price(layers, max_bits, price)) for price in reversed(within))
    aim, fits, fails = float(target), 0.0, np.inf  # entropies: to try, and the nearest that were
    best: tuple[int, Found] | None = None
    sizes = []
    found = None
    for _ in range(_TRIES):
        found = at_size(layers, max_bits, aim, within)
        size, entropy = apply(found), entropy_bytes(found)
        sizes.append(size)
        if size <= target:
            if best is None or size > best[0]:
                best = size, found
            if size >= _NEAR * target or entropy >= 0.999 * most:
                return
            fits = max(fits, aim)
        else:
            if entropy <= least:
                break
            fails = min(fails, aim, entropy)
        # What the file takes beside the entropy hardly changes.
        aim += (1 + _NEAR) / 2 * target - size
        if not fits < aim < fails:
            aim = (fits + fails) / 2
    if best is None:
        raise SettingsError(
            f"target_bytes must be a size that can be reached, got {target}; "
            f"the smallest file that was found takes {min(sizes)} bytes"
        )
    if best[1] is not found:
        apply(best[1])

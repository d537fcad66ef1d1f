"""Weight sharing: each weight takes one of 2**bits values, its layer's codebook.

With samples, codes are chosen so that a layer's errors cancel on its inputs, at no more bits than
the nearest centroids take.

Source: Han et al. 2016, arXiv:1510.00149, sec. 3.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from compress.errors import require
from compress.kernels.kmeans import Init, assign, kmeans_1d
from compress.kernels.rate import Quantized
from compress.passes.auto import smallest
from compress.passes.chosen import addressed
from compress.passes.context import Context, Passed
from compress.passes.network import Network
from compress.passes.settings import QuantizeSettings
from compress.passes.sharing import Found, SharedLayer, cancelling, each, sharing

# The best price of a bit for steps of size s is s^2 ln 2 / 6, and the squared error is s^2 / 12.
_PRICE = 2 * math.log(2)
_PARTS = 8  # of that price, tried at most
_FIRST = 0.2  # of it, where no price at all takes too many bits


def quantize(network: Network, settings: QuantizeSettings, context: Context) -> Passed:
    """Share a network's weights in place, and train the centroids where there is training.

    A weight that is zero counts as pruned: it stays zero, outside the codebook. A layer of no more
    than 2**bits distinct nonzero values keeps them exactly. A layer's random draw depends on its
    name, not on the others. With bits `auto`, see `auto`.

    Raises:
        SettingsError: when a target matches no layer.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    require(context.seed >= 0, "seed", "0 or more", context.seed)
    if settings.bits == "auto":
        return smallest(network, settings, context)
    targets, skipped = addressed(network, settings.bits)
    bits = {weight.name: value for weight, value, _ in targets}
    shared = sharing(network, [weight for weight, _, _ in targets], context, settings.samples)

    def clustered(layer: SharedLayer) -> Quantized:
        return _clustered(layer, bits[layer.weight.name], settings.init, context.seed)

    alone = each(shared.layers, clustered)
    shared.write(alone, lambda: _no_dearer(shared.layers, alone))
    shared.correct()
    if context.fit is not None:
        context.fit(None)
    return shared.passed(skipped, bits)


def _clustered(layer: SharedLayer, bits: int, init: Init, seed: int) -> Quantized:
    """Cluster one weight's nonzero values."""
    values = layer.values
    nonzero = values[values != 0]
    centroids = np.empty(0, np.float32)
    if len(nonzero):
        own_seed = (seed, zlib.crc32(layer.weight.name.encode()))
        centroids, _ = kmeans_1d(nonzero, 1 << bits, init=init, seed=own_seed, overwrite=True)
    del nonzero  # as large as the weight
    codes = assign(values, centroids, zeros_apart=True)
    return Quantized(codes, centroids, bits=0.0, price=0.0).recoded(codes)


def _no_dearer(layers: Sequence[SharedLayer], alone: Found) -> Found:
    """Let errors cancel at a price of a bit, so that codes take no more than those alone."""
    errors = {layer.weight.name: _squared_error(layer, alone) for layer in layers}
    most = _bits(alone)
    tried = [(0.0, _priced(layers, alone, errors, 0.0))]
    while _bits(tried[-1][1]) > most and len(tried) < _PARTS:
        part = _FIRST
        if len(tried) > 1:
            (first, before), (second, after) = tried[-2], tried[-1]
            gained = (_bits(before) - _bits(after)) / (second - first)
            part = second + max(1.2 * (_bits(after) - most) / max(gained, 1e-9 * most), 0.02)
            part = min(part, 3 * second)
        tried.append((part, _priced(layers, alone, errors, part)))
    return tried[-1][1]


def _priced(
    layers: Sequence[SharedLayer], alone: Found, errors: Mapping[str, float], part: float
) -> Found:
    return cancelling(
        layers,
        {name: replace(own, price=part * _PRICE * errors[name]) for name, own in alone.items()},
    )


def _squared_error(layer: SharedLayer, alone: Found) -> float:
    own = alone[layer.weight.name]
    values = np.append(own.centroids, np.float32(0))[own.codes]
    return float(np.square(layer.values - values).mean(dtype=np.float64))


def _bits(found: Found) -> float:
    return sum(own.bits for own in found.values())

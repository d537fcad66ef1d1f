"""Weight sharing: each weight takes one of 2**bits values, its layer's codebook.

Source: Han et al. 2016, arXiv:1510.00149, sec. 3.
"""

from __future__ import annotations

import zlib

import numpy as np

from compress.errors import require
from compress.kernels.kmeans import Init, assign, kmeans_1d
from compress.kernels.rate import Quantized
from compress.passes.chosen import addressed
from compress.passes.context import Context, Passed
from compress.passes.network import Network
from compress.passes.settings import QuantizeSettings
from compress.passes.sharing import SharedLayer, each, sharing


def quantize(network: Network, settings: QuantizeSettings, context: Context) -> Passed:
    """Share a network's weights in place, and train the centroids where there is training.

    A weight that is zero counts as pruned: it stays zero, outside the codebook. A layer of no more
    than 2**bits distinct nonzero values keeps them exactly. A layer's random draw depends on its
    name, not on the others.

    Raises:
        SettingsError: when a target matches no layer.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    require(context.seed >= 0, "seed", "0 or more", context.seed)
    assert settings.bits != "auto"
    targets, skipped = addressed(network, settings.bits)
    bits = {weight.name: value for weight, value, _ in targets}
    shared = sharing(network, [weight for weight, _, _ in targets], context, settings.samples)

    def clustered(layer: SharedLayer) -> Quantized:
        return _clustered(layer, bits[layer.weight.name], settings.init, context.seed)

    shared.apply(each(shared.layers, clustered))
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
    return Quantized(codes, centroids, bits=0.0, price=0.0)

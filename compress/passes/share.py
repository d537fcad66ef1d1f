"""Weight sharing: each weight takes the nearest of 2**bits values, its layer's codebook.

Source: Han et al. 2016, arXiv:1510.00149, sec. 3.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from compress.constraints import Shared, constraints_of
from compress.errors import require
from compress.kernels.kmeans import Init, assign, kmeans_1d
from compress.passes.settings import ShareSettings
from compress.passes.targets import Kind
from compress.passes.weights import Skipped, Weight, require_some, weights_of


@dataclass(frozen=True, slots=True)
class SharedLayer:
    """What one weight became."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    weights: int
    nonzero: int
    distinct: int  #: distinct nonzero values, 2**bits at most
    bits: int  #: bits of a code
    codebook_bytes: int  #: of the centroids, as float32


@dataclass(frozen=True, slots=True)
class ShareReport:
    """What sharing did, weight by weight."""

    layers: tuple[SharedLayer, ...]
    skipped: tuple[Skipped, ...]
    uncompensated: tuple[str, ...] = ()  #: weights whose errors do not cancel; those of others do
    notes: tuple[str, ...] = ()  #: what was left out of the steps that were asked for, and why

    @property
    def weights(self) -> int:
        """Weights in the shared layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def codebook_bytes(self) -> int:
        """Bytes of all codebooks."""
        return sum(layer.codebook_bytes for layer in self.layers)


def share(model: nn.Module, settings: ShareSettings, *, seed: int) -> tuple[nn.Module, ShareReport]:
    """Share a model's weights in place; the codebooks are kept in its constraints.

    A weight that is zero counts as pruned: it stays zero, outside the codebook. A layer of no more
    than 2**bits distinct nonzero values keeps them exactly.

    Args:
        model: the model, pruned or not.
        settings: how many bits, where.
        seed: of the random initialisation; a layer's draw depends on its name, not on the others.

    Raises:
        SettingsError: when a target matches no layer.
        DataError: when weights are not finite.
    """
    require(seed >= 0, "seed", "0 or more", seed)
    constraints_of(model).apply(model)
    weights, skipped = weights_of(model)
    require_some(weights, skipped)
    targets = settings.bits.resolve(weights)
    layers = []
    for weight in weights:
        if weight.name not in targets:
            skipped.append(Skipped(weight.name, "no target matches"))
            continue
        bits, _ = targets[weight.name]
        with weight.named_errors():
            shared = _shared(weight, bits, settings.init, seed)
        layers.append(keep(model, weight, bits, shared))
    return model, ShareReport(tuple(layers), tuple(skipped))


def _shared(weight: Weight, bits: int, init: Init, seed: int) -> Shared:
    """Cluster one weight's nonzero values."""
    values = weight.values()
    nonzero = values[values != 0]
    centroids = np.empty(0, np.float32)
    if len(nonzero):
        own_seed = (seed, zlib.crc32(weight.name.encode()))
        centroids, _ = kmeans_1d(nonzero, 1 << bits, init=init, seed=own_seed, overwrite=True)
    del nonzero  # as large as the weight
    codes = torch.from_numpy(assign(values, centroids, zeros_apart=True))
    parameter = weight.parameter
    return Shared(
        codes.view(parameter.shape).to(parameter.device),
        torch.from_numpy(centroids).to(parameter.device),
    )


def keep(model: nn.Module, weight: Weight, bits: int, shared: Shared) -> SharedLayer:
    """Write what a weight became, and have the model keep it.

    Args:
        model: that holds the weight.
        weight: that is shared.
        bits: of a code.
        shared: its codes and codebook, on the weight's device.
    """
    parameter = weight.parameter.detach()
    with torch.no_grad():
        shared.write(parameter)
    constraints_of(model).by_name[weight.name] = shared
    centroids = shared.codebook.detach().to(parameter.dtype)
    return SharedLayer(
        name=weight.name,
        kind=weight.kind,
        shape=tuple(parameter.shape),
        weights=parameter.numel(),
        nonzero=int(torch.count_nonzero(parameter)),
        distinct=len(torch.unique(centroids[centroids != 0])),
        bits=bits,
        codebook_bytes=4 * shared.codebook.numel(),
    )

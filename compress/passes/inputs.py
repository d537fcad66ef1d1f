"""What the inputs of a layer tell of its errors: which add up, and which cancel.

A layer's output is off by its weights' errors times its inputs, so the squared error is decided by
the inputs' mean outer product. Its inverse tells how much of a weight's error those behind it can
take back.

Sources: Hassibi & Stork 1993, "Optimal brain surgeon"; layer by layer, and the Cholesky factor,
Frantar et al. 2022, "GPTQ", arXiv:2210.17323, sec. 3; more damping for fewer samples, after Ledoit
& Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from compress.kernels.rate import Quantized, compensate
from compress.passes.samples import Samples, batches
from compress.passes.weights import Weight

_BATCH = 16  # samples
_PLACES = 256  # of a sample, up to four times as many: neighbouring places tell the same
_BLOCK = 1024  # inputs whose errors are seen together: a factor is no larger than this squared
_DAMPING = 0.01  # of the mean square of an input, and as much again as inputs per place seen

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Factor:
    """How errors in some columns of a weight, seen as a matrix, make up for one another."""

    group: int  #: of a grouped convolution, else 0
    columns: NDArray[np.intp]  #: in the order in which they are chosen, shape `(n,)`
    upper: Values  #: triangular U: `U.T @ U` is the inverse of the mean outer product, `(n, n)`


def input_factors(
    model: nn.Module, weights: Sequence[Weight], samples: Samples
) -> dict[str, list[Factor]]:
    """Return the factors of each linear or convolution layer (1-d, 2-d) that the model calls.

    They are scaled so that an error counts 1 in the mean of a layer's weights. Weights of other
    layers have none, nor have those that other layers share, and those whose inputs overflow.

    Args:
        model: before compression.
        weights: of the model.
        samples: what it takes, on its device.
    """
    sums = _outer_products(model, weights, samples)
    factors = {}
    for name in list(sums):
        products = sums.pop(name)  # as large as the factors are
        if all(bool(torch.isfinite(block).all()) for block in products.blocks):
            factors[name] = _factors(products)
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
    groups = 1 + max(factor.group for factor in factors)
    shape = (groups, weight.parameter.shape[0] // groups, -1)
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


@dataclass(slots=True)
class _Products:
    """Sums of outer products of a layer's inputs."""

    blocks: list[Tensor] = field(default_factory=list)  #: of inputs, `(groups, n, n)` each
    places: int = 0  #: that were summed

    def add(self, given: Tensor) -> None:
        """Take in inputs, shape `(groups, n, places)`."""
        products = [(part @ part.mT).cpu() for part in torch.split(given, _BLOCK, dim=1)]
        for held, product in zip(self.blocks, products, strict=bool(self.blocks)):
            held += product
        self.blocks = self.blocks or products
        self.places += given.shape[2]


@torch.inference_mode()
def _outer_products(
    model: nn.Module, weights: Sequence[Weight], samples: Samples
) -> dict[str, _Products]:
    owners: dict[nn.Parameter, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(parameter, []).append(module)
    sums: dict[str, _Products] = {}
    handles = []
    for weight in weights:
        layers = owners[weight.parameter]
        if not all(isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) for layer in layers):
            continue

        def add(
            layer: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor], name: str
        ) -> None:
            inputs = given[0] if given else named["input"]
            if inputs.numel():
                sums.setdefault(name, _Products()).add(_inputs(layer, inputs))

        handles += [
            layer.register_forward_pre_hook(partial(add, name=weight.name), with_kwargs=True)
            for layer in layers
        ]
    try:
        for batch in batches(samples, _BATCH):
            model.eval()(*batch)
    finally:
        for handle in handles:
            handle.remove()
    return sums


def _inputs(layer: nn.Module, given: Tensor) -> Tensor:
    """Return what a row of the weight is multiplied with, shape `(groups, n, places)`."""
    if isinstance(layer, nn.Linear):
        rows = given.reshape(-1, given.shape[-1])
        step = max(len(rows) // (_PLACES * len(given)), 1)
        return rows[::step].T.unsqueeze(0)
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    if given.ndim == len(layer.kernel_size) + 1:
        given = given.unsqueeze(0)  # one sample, without its axis
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(given, layer._reversed_padding_repeated_twice, mode=mode)
    kernel, dilation, stride = layer.kernel_size, layer.dilation, layer.stride
    if isinstance(layer, nn.Conv1d):
        padded = padded.unsqueeze(2)
        kernel, dilation, stride = (1, *kernel), (1, *dilation), (1, *stride)
    sizes = zip(padded.shape[2:], kernel, dilation, stride, strict=True)
    places = [1 + (size - 1 - spread * (k - 1)) // step for size, k, spread, step in sizes]
    skip = max(int((math.prod(places) / _PLACES) ** (1 / len(layer.kernel_size))), 1)
    wide = tuple(skip * step for step in stride)
    columns = functional.unfold(padded, kernel, dilation, stride=wide)  # (batch, inputs, places)
    return columns.transpose(0, 1).reshape(layer.groups, columns.shape[1] // layer.groups, -1)


def _factors(products: _Products) -> list[Factor]:
    """Return the factors of one layer; each block becomes one a group."""
    squares = [block.diagonal(dim1=1, dim2=2) for block in products.blocks]
    mean = max(float(torch.cat(squares, dim=1).mean(dtype=torch.float64)), 1e-30)
    found = []
    begin = 0
    for summed in products.blocks:
        n = summed.shape[1]
        block = summed.double() / mean
        block.diagonal(dim1=1, dim2=2).add_(_DAMPING + n / products.places)
        orders = block.diagonal(dim1=1, dim2=2).argsort(dim=1, descending=True, stable=True)
        rows = block.gather(1, orders.unsqueeze(2).expand_as(block))
        ordered = rows.gather(2, orders.unsqueeze(1).expand_as(block))
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(ordered))
        upper = torch.linalg.cholesky(inverse, upper=True).float().numpy()
        found += [
            Factor(i, columns, own)
            for i, (columns, own) in enumerate(zip(begin + orders.numpy(), upper, strict=True))
        ]
        begin += n
    curvatures = np.concatenate([1 / factor.upper.diagonal() ** 2 for factor in found])
    scale = np.sqrt(curvatures.mean(dtype=np.float64)).astype(np.float32)
    for factor in found:
        factor.upper[...] *= scale
    return found

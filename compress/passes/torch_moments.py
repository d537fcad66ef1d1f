"""What the layers of a torch model are given: sums of outer products of their inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.passes.inputs import BLOCK, PLACES, ROWS
from compress.passes.network import Moments
from compress.passes.torch_tokens import at_tokens, of_one_size, tokens_in
from compress.passes.weights import TorchWeight

Inputs = tuple[Tensor, ...]  # an input each


@torch.no_grad()
def outer_products(
    model: nn.Module, weights: Sequence[TorchWeight], batches: Iterable[Inputs]
) -> dict[str, Moments]:
    """Return the sums of each linear or convolution layer (1-d, 2-d) that the model calls.

    Weights of other layers have none, nor have those that other layers share.

    Args:
        model: whose layers are watched.
        weights: of the model.
        batches: of what it takes, on its device.
    """
    owners: dict[nn.Parameter, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(parameter, []).append(module)
    sums: dict[str, Moments] = {}
    handles = []
    for weight in weights:
        layers = owners[weight.parameter]
        if not all(isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) for layer in layers):
            continue

        def add(layer: nn.Module, given: Inputs, named: dict[str, Tensor], name: str) -> None:
            inputs = given[0] if given else named["input"]
            if isinstance(layer, nn.Linear) and inputs.ndim == 3:
                inputs = of_one_size(at_tokens(inputs, tokens))
            if inputs.numel():
                _add(sums.setdefault(name, Moments([], 0)), _inputs(layer, inputs))

        handles += [
            layer.register_forward_pre_hook(partial(add, name=weight.name), with_kwargs=True)
            for layer in layers
        ]
    tokens: Tensor | None = None  # of the batch that is run
    try:
        for batch in batches:
            tokens = tokens_in(batch)
            model.eval()(*batch)
    finally:
        for handle in handles:
            handle.remove()
    return sums


def _add(sums: Moments, given: Tensor) -> None:
    """Take in inputs, shape `(groups, n, places)`."""
    products = [
        (part @ part.mT).double().cpu().numpy() for part in torch.split(given, BLOCK, dim=1)
    ]
    for held, product in zip(sums.blocks, products, strict=bool(sums.blocks)):
        held += product
    sums.blocks = sums.blocks or products
    sums.places += given.shape[2]


def _inputs(layer: nn.Module, given: Tensor) -> Tensor:
    """Return what a row of the weight is multiplied with, shape `(groups, n, places)`."""
    if isinstance(layer, nn.Linear):
        rows = given.reshape(-1, given.shape[-1])
        step = max(len(rows) // (ROWS * len(given)), 1)
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
    skip = max(int((math.prod(places) / PLACES) ** (1 / len(layer.kernel_size))), 1)
    wide = tuple(skip * step for step in stride)
    columns = functional.unfold(padded, kernel, dilation, stride=wide)  # (batch, inputs, places)
    return columns.transpose(0, 1).reshape(layer.groups, columns.shape[1] // layer.groups, -1)

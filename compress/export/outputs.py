"""What a torch module returns, as the exporter counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree

from compress.errors import UnsupportedLayerError


def outputs_of(model: nn.Module, inputs: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return all tensors of what a model returns, in the order in which they are exported.

    Raises:
        UnsupportedLayerError: when it returns none, or some that numpy has no type for.
    """
    with torch.inference_mode():
        returned = model(*inputs)
    found = [leaf for leaf in _pytree.tree_leaves(returned) if isinstance(leaf, Tensor)]
    name = type(model).__name__
    if not found:
        raise UnsupportedLayerError(f"{name} returns no tensor")
    if any(leaf.dtype == torch.bfloat16 for leaf in found):
        raise UnsupportedLayerError(f"{name} returns bfloat16, which numpy has not; use .float()")
    return [leaf.numpy() for leaf in found]


def numbered(name: str, count: int) -> list[str]:
    """Name inputs or outputs: by the name alone where there is one, else NAME_0, NAME_1 and so on.

    >>> numbered("output", 1), numbered("output", 2)
    (['output'], ['output_0', 'output_1'])
    """
    return [name] if count == 1 else [f"{name}_{place}" for place in range(count)]

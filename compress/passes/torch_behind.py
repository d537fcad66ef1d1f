"""Which activations cut what the layers of a torch model give: they are seen when they are called.

A module's forward is anyone's code, so no list of layers tells what is behind one. A mode of torch
sees each function that reads a tensor, be it called by a module or as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from compress.passes.behind import Bounds

#: What is asked of a tensor without a look at its numbers; `__get__` is of an attribute.
_ASKING = frozenset(
    ("__get__", "__len__", "size", "dim", "ndimension", "numel", "nelement", "stride",
     "is_floating_point", "is_complex", "is_contiguous", "element_size", "get_device", "data_ptr",
     "type", "storage_offset", "has_names", "is_same_size")
)  # fmt: skip
_ROWS = 2  # samples: it is the calls that count, and not the numbers


@torch.no_grad()
def cut_behind(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Bounds]:
    """Return the bounds of the activation that alone reads what a layer with a bias gives.

    Layers whose output something else reads, too, or whose calls differ, have none.

    Args:
        model: whose linear layers and convolutions are looked at, by name.
        batch: what it takes, an input each, on its device.
    """
    readers = _Readers()
    handles = [
        layer.register_forward_hook(partial(readers.gave, name))
        for name, layer in model.named_modules()
        if isinstance(layer, _ConvNd | nn.Linear) and layer.bias is not None
    ]
    try:
        with readers:
            returned = model.eval()(*(given[:_ROWS] for given in batch))
        readers.saw(tree_leaves(returned), None)
    finally:
        for handle in handles:
            handle.remove()
    cuts: dict[str, Bounds | None] = {}
    for name, found in zip(readers.names, readers.found, strict=True):
        own = found[0] if len(found) == 1 else None
        cuts[name] = own if cuts.get(name, own) == own else None
    return {name: bounds for name, bounds in cuts.items() if bounds is not None}


class _Readers(TorchFunctionMode):
    """What reads the outputs of layers, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []  #: of the layer, by call
        self.found: list[list[Bounds | None]] = []  #: bounds of each reader, by call
        self._given: dict[int, tuple[int, Tensor]] = {}  # call and output, by its identity

    def gave(self, name: str, _: nn.Module, __: object, output: Tensor) -> None:
        """Take note of what a layer gives."""
        self._given[id(output)] = len(self.names), output
        self.names.append(name)
        self.found.append([])

    def saw(self, leaves: list[Any], bounds: Bounds | None) -> None:
        """Take note of what is read."""
        for leaf in leaves:
            if id(leaf) in self._given:
                self.found[self._given[id(leaf)][0]].append(bounds)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401  (as torch has it)
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (as torch has it)
        """Carry a function out, and see what it reads."""
        named = dict(kwargs or {})
        read = tree_leaves((args, named))
        gave = func(*args, **named)
        results = tree_leaves(gave)
        if any(isinstance(leaf, Tensor) for leaf in results):
            self.saw(read, _bounds(func, args, named))
            for leaf in results:  # what was changed in place is what the layer gave no more
                self._given.pop(id(leaf), None)
        elif getattr(func, "__name__", "") not in _ASKING:
            self.saw(read, None)
        return gave


def _bounds(
    func: Callable[..., Any], args: tuple[Any, ...], named: Mapping[str, Any]
) -> Bounds | None:
    """Return where a function cuts what it is given; None where it does something else."""
    own = dict(zip(("input", "low", "high"), args, strict=False))
    match getattr(func, "__name__", "").removesuffix("_"):
        case "relu":
            return 0.0, inf
        case "relu6":
            return 0.0, 6.0
        case "hardtanh":
            low = named.get("min_val", own.get("low", -1.0))
            high = named.get("max_val", own.get("high", 1.0))
            return low, high
        case "clamp" | "clip":
            low = named.get("min", own.get("low"))
            high = named.get("max", own.get("high"))
            if isinstance(low, Tensor) or isinstance(high, Tensor):
                return None
            return -inf if low is None else low, inf if high is None else high
        case _:
            return None

"""The weights of a torch model that can be compressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import ParametrizationList

from compress.constrained import Constraints, Mask, Shared, constraints_of
from compress.errors import UnsupportedLayerError
from compress.passes.chosen import BIAS
from compress.passes.network import Codes, Skipped, Values
from compress.passes.targets import Kind

# Layers, their kind, and the one axis along which they add their weights up, where there is one.
_MODULES: tuple[tuple[tuple[type[nn.Module], ...], Kind, int | None], ...] = (
    ((_ConvTransposeNd,), "conv", None),
    ((_ConvNd,), "conv", 1),
    ((nn.Linear, nn.MultiheadAttention), "fc", 1),
    ((nn.Bilinear,), "fc", None),
    ((nn.Embedding, nn.EmbeddingBag), "embedding", None),
    ((nn.RNNBase, nn.RNNCellBase), "rnn", None),
)
# Linear layers of libraries that are not imported for it, and that axis.
_FOREIGN_FC: Mapping[str, int | None] = {
    "transformers.pytorch_utils.Conv1D": 0,  # GPT-2's: a Linear, transposed
    "transformers.models.xlnet.modeling_xlnet.XLNetRelativeAttention": None,  # with a head's axis
}


@dataclass(frozen=True, slots=True, eq=False)
class TorchWeight:
    """A parameter that passes may change, by its canonical name."""

    name: str  #: the one of `model.named_parameters()`: a tied parameter has one
    module: str  #: name of the module that holds it
    kind: Kind
    parameter: nn.Parameter
    names: frozenset[str]  #: all that address it: parameter and modules, aliases of a tied one too
    contracted: int | None  #: the axis along which all its layers add it up, where that is one
    constraints: Constraints = field(repr=False)  #: of the model

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.parameter.shape)

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """What an earlier pruning keeps, shape `(n,)`; None where nothing was pruned."""
        held = self.constraints.by_name.get(self.name)
        if not isinstance(held, Mask):
            return None
        keep: NDArray[np.bool_] = held.keep.cpu().reshape(-1).numpy()
        return keep

    @property
    def is_shared(self) -> bool:
        """Whether its values are shared."""
        return isinstance(self.constraints.by_name.get(self.name), Shared)

    def values(self) -> Values:
        """Return the numbers in order, shape `(n,)`; on a CPU they may be the parameter's own."""
        values: Values = self.parameter.detach().float().cpu().reshape(-1).numpy()
        return values

    @torch.no_grad()
    def set_values(self, values: Values) -> None:
        """Take other numbers, shape `(n,)`, bound to nothing."""
        self.constraints.by_name.pop(self.name, None)
        self.parameter.copy_(torch.from_numpy(values).view(self.shape))

    @torch.no_grad()
    def set_mask(self, keep: NDArray[np.bool_]) -> None:
        """Set to zero what a mask of shape `(n,)` does not keep, and have it stay so."""
        mask = Mask(torch.from_numpy(keep).view(self.shape).to(self.parameter.device))
        self.constraints.by_name[self.name] = mask
        self.parameter.masked_fill_(~mask.keep, 0)

    @torch.no_grad()
    def set_codes(self, held: Codes) -> None:
        """Take the values of a codebook, and have them stay shared."""
        device = self.parameter.device
        shared = Shared(
            torch.from_numpy(held.codes).view(self.shape).to(device),
            torch.from_numpy(held.centroids).to(device),
        )
        shared.write(self.parameter)
        self.constraints.by_name[self.name] = shared


def weights_of(model: nn.Module) -> tuple[list[TorchWeight], list[Skipped]]:
    """List a model's compressible weights and why each other parameter is none.

    A weight is a floating-point parameter of two or more dimensions that a convolution, linear,
    embedding or recurrent module holds.

    Raises:
        UnsupportedLayerError: when there are no numbers to change, or nothing may change them.
    """
    names: dict[nn.Parameter, list[str]] = {}
    kinds: dict[nn.Parameter, Kind] = {}
    axes: dict[nn.Parameter, set[int | None]] = {}
    holders: dict[nn.Parameter, nn.Module] = {}
    for module_name, module in model.named_modules():
        kind, axis = _kind_of(module)
        for own_name, parameter in module.named_parameters(recurse=False):
            full = f"{module_name}.{own_name}" if module_name else own_name
            names.setdefault(parameter, []).append(full)
            holders.setdefault(parameter, module)
            axes.setdefault(parameter, set()).add(axis)
            if kind is not None:
                kinds.setdefault(parameter, kind)
    weights, skipped = [], []
    constraints = constraints_of(model)
    for name, parameter in model.named_parameters():
        _require_numbers(name, parameter)
        reason = _not_a_weight(name, parameter, holders[parameter], kinds.get(parameter))
        if reason is not None:
            skipped.append(Skipped(name, reason))
            continue
        modules = [full.rpartition(".")[0] for full in names[parameter]]
        address = frozenset([*names[parameter], *filter(None, modules)])
        axis = axes[parameter].pop() if len(axes[parameter]) == 1 else None
        weights.append(
            TorchWeight(name, modules[0], kinds[parameter], parameter, address, axis, constraints)
        )
    return weights, skipped


def _require_numbers(name: str, parameter: nn.Parameter) -> None:
    """Raise `UnsupportedLayerError` for what only stands for a tensor."""
    if is_lazy(parameter):
        return
    if parameter.is_meta or type(parameter.data).__name__ == "FakeTensor":
        raise UnsupportedLayerError(
            f"{name} has no numbers (it is on the meta device or fake); load the weights first"
        )
    if parameter.is_inference():
        raise UnsupportedLayerError(
            f"{name} was made in torch.inference_mode, and nothing may change it; "
            "build the model outside of that"
        )


def _kind_of(module: nn.Module) -> tuple[Kind | None, int | None]:
    """Return the kind of a layer, None for other modules, and the axis that it adds up."""
    for base in type(module).__mro__:
        if (name := f"{base.__module__}.{base.__name__}") in _FOREIGN_FC:
            return "fc", _FOREIGN_FC[name]
    found = (row for row in _MODULES if isinstance(module, row[0]))
    _, kind, axis = next(found, (None, None, None))
    return kind, axis


def _not_a_weight(
    name: str, parameter: nn.Parameter, holder: nn.Module, kind: Kind | None
) -> str | None:
    """Return why a parameter is no weight, or None when it is one."""
    if is_lazy(parameter):
        return "not initialized: run the model once"
    dtype, layout = (
        str(kind).removeprefix("torch.") for kind in (parameter.dtype, parameter.layout)
    )
    if type(parameter.data) is not Tensor:
        return f"it is a {type(parameter.data).__name__}, not a plain tensor"
    if layout != "strided":
        return f"its layout is {layout}, not dense"
    if not parameter.is_floating_point():
        return f"its numbers are {dtype}, not floats"
    if parameter.element_size() < 2:
        return f"its numbers are {dtype}: small already"
    own = name.rpartition(".")[2]
    if "bias" in own:
        return BIAS
    if isinstance(holder, ParametrizationList):
        return "a parametrization computes the weight from it; remove_parametrizations first"
    if own.endswith("_g") and any(
        type(hook).__name__ == "WeightNorm" for hook in holder._forward_pre_hooks.values()
    ):
        return "weight_norm scales the weight with it; remove_weight_norm first"
    if isinstance(holder, torch.jit.ScriptModule):
        return "its module is scripted; compress the model first"
    if any(
        not step and size > 1
        for step, size in zip(parameter.stride(), parameter.shape, strict=True)
    ):
        return "its numbers share their place in memory; clone it"
    if parameter.ndim < 2:
        return "a vector: too small to matter"
    if kind is None:
        return f"{type(holder).__name__} is no conv, fc, embedding or rnn layer"
    return "empty" if parameter.numel() == 0 else None

"""The weights of a model that can be compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import ParametrizationList

from compress.errors import DataError, UnsupportedLayerError
from compress.passes.targets import Kind

_MODULES: tuple[tuple[Kind, tuple[type[nn.Module], ...]], ...] = (
    ("conv", (_ConvNd,)),  # transposed ones too
    ("fc", (nn.Linear, nn.Bilinear, nn.MultiheadAttention)),
    ("embedding", (nn.Embedding, nn.EmbeddingBag)),
    ("rnn", (nn.RNNBase, nn.RNNCellBase)),
)
_BIAS = "a bias"
# Linear layers of libraries that are not imported for it.
_FOREIGN_FC = frozenset(
    {
        "transformers.pytorch_utils.Conv1D",  # GPT-2's: a Linear, transposed
        "transformers.models.xlnet.modeling_xlnet.XLNetRelativeAttention",  # with a head's axis
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A parameter that passes may change, by its canonical name."""

    name: str  #: the one of `model.named_parameters()`: a tied parameter has one
    module: str  #: name of the module that holds it
    kind: Kind
    parameter: nn.Parameter
    names: frozenset[str]  #: all that address it: parameter and modules, aliases of a tied one too

    def values(self) -> NDArray[np.float32]:
        """Return the numbers in order, shape `(n,)`; on a CPU they may be the parameter's own."""
        values: NDArray[np.float32] = self.parameter.detach().float().cpu().reshape(-1).numpy()
        return values

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Put the weight's name before an error about its numbers."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that a pass leaves alone."""

    name: str
    reason: str


def weights_of(model: nn.Module) -> tuple[list[Weight], list[Skipped]]:
    """List a model's compressible weights and why each other parameter is none.

    A weight is a floating-point parameter of two or more dimensions that a convolution, linear,
    embedding or recurrent module holds.

    Raises:
        UnsupportedLayerError: when there are no numbers to change, or nothing may change them.
    """
    names: dict[nn.Parameter, list[str]] = {}
    kinds: dict[nn.Parameter, Kind] = {}
    holders: dict[nn.Parameter, nn.Module] = {}
    for module_name, module in model.named_modules():
        kind = _kind_of(module)
        for own_name, parameter in module.named_parameters(recurse=False):
            full = f"{module_name}.{own_name}" if module_name else own_name
            names.setdefault(parameter, []).append(full)
            holders.setdefault(parameter, module)
            if kind is not None:
                kinds.setdefault(parameter, kind)
    weights, skipped = [], []
    for name, parameter in model.named_parameters():
        _require_numbers(name, parameter)
        reason = _not_a_weight(name, parameter, holders[parameter], kinds.get(parameter))
        if reason is not None:
            skipped.append(Skipped(name, reason))
            continue
        modules = [full.rpartition(".")[0] for full in names[parameter]]
        address = frozenset([*names[parameter], *filter(None, modules)])
        weights.append(Weight(name, modules[0], kinds[parameter], parameter, address))
    return weights, skipped


def require_some(weights: Sequence[Weight], skipped: Sequence[Skipped]) -> None:
    """Raise `UnsupportedLayerError` where a pass finds nothing to do."""
    if not weights:
        why = "it has no parameters"
        telling = [one for one in skipped if one.reason != _BIAS] or skipped
        if telling:
            why = f"{telling[0].name} is left alone: {telling[0].reason}"
        raise UnsupportedLayerError(f"the model has no weight that can be compressed; {why}")


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


def _kind_of(module: nn.Module) -> Kind | None:
    if any(f"{base.__module__}.{base.__name__}" in _FOREIGN_FC for base in type(module).__mro__):
        return "fc"
    return next((kind for kind, types in _MODULES if isinstance(module, types)), None)


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
        return _BIAS
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

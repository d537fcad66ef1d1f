"""What training must keep: a mask or a codebook, per parameter, held on the model itself.

A pass writes a constraint, training calls methods around each step:

    held = constraints_of(model)
    loss.backward()
    held.collect_gradients(model)
    optimizer.step()  # over held.trained_parameters(model)
    held.apply(model)

Constraints are keyed by the parameter's canonical name, the one of `model.named_parameters()`: a
tied parameter appears once. `copy.deepcopy(model)` carries them along; the state dict does not.

Source: Han et al. 2016, arXiv:1510.00149, sec. 3.3 (centroids take the sum of the gradients).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from compress.errors import FormatError, SettingsError

_ATTRIBUTE = "_compress_constraints"
_BLOCK = 1 << 18  # positions at a time: what is temporary stays in the cache


@dataclass(slots=True, eq=False)
class Mask:
    """Weights that are pruned: they stay exactly zero."""

    keep: Tensor  #: bool, shape of the weight; a False position stays zero


@dataclass(slots=True, eq=False)
class Shared:
    """Weights that share the values of a codebook, which is what is trained."""

    codes: Tensor  #: int8, int16 or int32, shape of the weight; -1 is a pruned zero
    codebook: nn.Parameter  #: centroids, shape `(k,)`
    _kept: tuple[Tensor, Tensor] | None = field(default=None, init=False, repr=False)

    def __init__(self, codes: Tensor, codebook: Tensor) -> None:
        self.codes = codes
        self.codebook = codebook if isinstance(codebook, nn.Parameter) else nn.Parameter(codebook)
        self._kept = None

    def to(self, device: torch.device) -> None:
        """Move to a device, in place: an optimizer keeps its hold of the codebook."""
        if self.codes.device != device:
            self.codes, self._kept = self.codes.to(device), None
        if self.codebook.device != device:
            self.codebook.data = self.codebook.data.to(device)
            self.codebook.grad = None

    def gradient(self, weight_gradient: Tensor) -> Tensor:
        """Return each centroid's gradient, the sum over the weights that share it, `(k,)`."""
        positions, codes = self._nonpruned()
        flat = weight_gradient.reshape(-1)
        sums = torch.zeros(self.codebook.shape, dtype=torch.float64, device=flat.device)
        for place, code in zip(_blocks(positions), _blocks(codes), strict=True):
            sums.index_add_(0, code, flat.index_select(0, place).double())
        return sums.to(self.codebook.dtype)

    def write(self, weight: Tensor) -> None:
        """Set a weight to `codebook[codes]`, and to zero where it is pruned."""
        centroids = self.codebook.detach().to(weight.dtype)
        table = torch.cat([centroids.new_zeros(1), centroids])
        flat = weight.view(-1) if weight.is_contiguous() else weight.new_empty(weight.numel())
        blocks = zip(_blocks(flat), _blocks(self.codes.reshape(-1)), strict=True)
        for out, codes in blocks:
            torch.index_select(table, 0, codes.int() + 1, out=out)
        if not weight.is_contiguous():
            weight.copy_(flat.view(weight.shape))

    def _nonpruned(self) -> tuple[Tensor, Tensor]:
        """Return the flat positions that are not pruned and their codes; codes never change."""
        if self._kept is None:
            flat = self.codes.reshape(-1)  # fewer than 2**31 weights, so int32 holds a position
            found = [
                (block >= 0).nonzero().view(-1).int() + start * _BLOCK
                for start, block in enumerate(_blocks(flat))
            ]
            positions = torch.cat(found)
            self._kept = positions, flat.index_select(0, positions).int()
        return self._kept


@dataclass(slots=True)
class Constraints:
    """All constraints of one model."""

    by_name: dict[str, Mask | Shared] = field(default_factory=dict)

    def trained_parameters(self, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        """List what an optimizer gets: a shared weight's codebook stands in for the weight."""
        self._pairs(model)
        trained = []
        for name, parameter in model.named_parameters():
            constraint = self.by_name.get(name)
            codebook = constraint.codebook if isinstance(constraint, Shared) else parameter
            if parameter.requires_grad and codebook.numel() > 0:
                trained.append((name, codebook))
        return trained

    @torch.no_grad()
    def collect_gradients(self, model: nn.Module) -> None:
        """Turn the weights' gradients into those of what is trained; once before each step.

        A pruned position's gradient becomes zero. A shared weight's gradient moves to its codebook
        and is cleared on the weight, which no optimizer holds and so none would clear.
        """
        for parameter, constraint in self._pairs(model):
            gradient = parameter.grad
            if gradient is not None and gradient.is_sparse:
                gradient = gradient.to_dense()
            match constraint:
                case Mask():
                    if gradient is not None:
                        parameter.grad = gradient.masked_fill_(~constraint.keep, 0)
                case Shared():
                    summed = None if gradient is None else constraint.gradient(gradient)
                    constraint.codebook.grad, parameter.grad = summed, None

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Make the weights keep their constraints, exactly; after each step."""
        for parameter, constraint in self._pairs(model):
            match constraint:
                case Mask():
                    parameter.data.masked_fill_(~constraint.keep, 0)
                case Shared():
                    constraint.write(parameter.data)

    def state(self) -> dict[str, Tensor]:
        """Return all constraints as flat named tensors, for a checkpoint."""
        tensors = {}
        for name, constraint in self.by_name.items():
            match constraint:
                case Mask():
                    tensors[f"{name}:keep"] = constraint.keep
                case Shared():
                    tensors[f"{name}:codes"] = constraint.codes
                    tensors[f"{name}:codebook"] = constraint.codebook.detach()
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; codebooks that fit are filled in place.

        Raises:
            FormatError: when the tensors are no constraints; nothing is changed then.
        """
        loaded: dict[str, Mask | Shared] = {}
        for key in sorted(tensors):
            name, _, part = key.rpartition(":")
            match part:
                case "keep":
                    loaded[name] = _mask(name, tensors)
                case "codes" | "codebook":
                    loaded[name] = _shared(name, tensors)
                case _:
                    raise FormatError(f"constraints have no part {key!r}")
        for name, constraint in loaded.items():
            current = self.by_name.get(name)
            if isinstance(current, Shared) and isinstance(constraint, Shared):
                _reuse_codebook(constraint, current.codebook)
        self.by_name = loaded

    def _pairs(self, model: nn.Module) -> list[tuple[nn.Parameter, Mask | Shared]]:
        """Return each constrained parameter with its constraint, on the parameter's device."""
        parameters = dict(model.named_parameters()) if self.by_name else {}
        pairs = []
        for name, constraint in self.by_name.items():
            parameter = parameters.get(name)
            held = constraint.keep if isinstance(constraint, Mask) else constraint.codes
            if parameter is None or parameter.shape != held.shape:
                found = "no such parameter" if parameter is None else tuple(parameter.shape)
                raise SettingsError(
                    f"the constraint of {name} must fit a weight of shape {tuple(held.shape)}, "
                    f"got {found}"
                )
            if isinstance(constraint, Shared):
                constraint.to(parameter.device)
            elif held.device != parameter.device:
                constraint.keep = held.to(parameter.device)
            pairs.append((parameter, constraint))
        return pairs


def constraints_of(model: nn.Module) -> Constraints:
    """Return the constraints of a model, made empty when it has none."""
    constraints = vars(model).setdefault(_ATTRIBUTE, Constraints())
    assert isinstance(constraints, Constraints)
    return constraints


def _blocks(flat: Tensor) -> tuple[Tensor, ...]:
    return torch.split(flat, _BLOCK)


def _mask(name: str, tensors: Mapping[str, Tensor]) -> Mask:
    keep = tensors[f"{name}:keep"]
    if keep.dtype not in (torch.bool, torch.uint8) or f"{name}:codes" in tensors:
        raise FormatError(f"{name}: a mask must be bool and alone, got {keep.dtype}")
    return Mask(keep.bool().clone())


def _shared(name: str, tensors: Mapping[str, Tensor]) -> Shared:
    codes, codebook = tensors.get(f"{name}:codes"), tensors.get(f"{name}:codebook")
    if codes is None or codebook is None:
        raise FormatError(f"{name}: codes and codebook must come together, got one of them")
    if codes.dtype not in (torch.int8, torch.int16, torch.int32):
        raise FormatError(f"{name}: codes must be int8, int16 or int32, got {codes.dtype}")
    if codebook.ndim != 1 or not codebook.is_floating_point():
        raise FormatError(f"{name}: a codebook must be one row of floats, got {codebook.dtype}")
    low, high = (int(codes.min()), int(codes.max())) if codes.numel() else (-1, -1)
    if low < -1 or high >= codebook.numel():
        raise FormatError(f"{name}: codes must be in [-1, {codebook.numel()}), got {low} to {high}")
    return Shared(codes.clone(), codebook.detach().clone())


def _reuse_codebook(loaded: Shared, codebook: nn.Parameter) -> None:
    """Fill a codebook that an optimizer may hold, and put it in place of the loaded one."""
    if codebook.shape == loaded.codebook.shape and codebook.dtype == loaded.codebook.dtype:
        codebook.data.copy_(loaded.codebook.data)
        loaded.codebook = codebook

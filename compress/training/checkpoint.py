"""A training between two epochs, as one flat safetensors file.

Names: `model/NAME`, `constraints/NAME`, `optimizer/INDEX/NAME`, and `best/...` for the first two
as they were after the best epoch. What is not a tensor is JSON in the metadata.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from compress import kept
from compress.artifact.safetensors_file import read_header
from compress.constrained import constraints_of
from compress.errors import CompressError, DataError, FormatError

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class History:
    """What a training has seen so far."""

    losses: list[float] = field(default_factory=list)  #: mean over each epoch
    #: metric on the validation part after each epoch; None where an output was not finite
    validation: list[float | None] = field(default_factory=list)
    best_epoch: int = -1  #: counted from 0; -1 before the first or without validation
    best: dict[str, Tensor] = field(default_factory=dict)  #: `snapshot` after that epoch


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    identity: str
    losses: list[float]
    validation: list[float | None]
    best_epoch: int


_FORMAT = 2


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Copy a model's parameters, buffers and constraints; a tied parameter comes once."""
    tensors = {f"model/{name}": held for name, held in _held(model)}
    for name, held in constraints_of(model).state().items():
        tensors[f"constraints/{name}"] = held
    return {name: held.detach().to("cpu", copy=True).contiguous() for name, held in tensors.items()}


@torch.no_grad()
def restore(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put a `snapshot` back into its model.

    Raises:
        DataError: when it is another model's.
    """
    expected, found = dict(_held(model)), _under("model/", tensors)
    if {n: (h.shape, h.dtype) for n, h in expected.items()} != {
        n: (h.shape, h.dtype) for n, h in found.items()
    }:
        raise DataError("the stored weights do not fit the model")
    constraints_of(model).load_state(_under("constraints/", tensors))
    for name, held in expected.items():
        held.copy_(found[name])


def save(
    path: Path, identity: str, model: nn.Module, optimizer: Optimizer, history: History
) -> None:
    """Write the file, whole or not at all.

    Args:
        path: the file.
        identity: what a training must have in common with the one that reads it.
        model: with its constraints.
        optimizer: of torch, not wrapped.
        history: of this training.
    """
    tensors = snapshot(model)
    for index, state in optimizer.state_dict()["state"].items():
        for name, held in state.items():
            if isinstance(held, Tensor):  # SGD keeps None until its first step
                tensors[f"optimizer/{index}/{name}"] = held.detach().cpu().contiguous()
    tensors |= {f"best/{name}": held for name, held in history.best.items()}
    record = _Record(_FORMAT, identity, history.losses, history.validation, history.best_epoch)
    metadata = {**kept.ROOM, "training": msgspec.json.encode(record).decode()}
    kept.write(path, safetensors.torch.save(tensors, metadata))


def load(path: Path, identity: str, model: nn.Module, optimizer: Optimizer) -> History | None:
    """Read the file into model and optimizer; return None where there is none that can be used.

    Raises:
        DataError: when it is of another training.
    """
    if not path.exists():
        return None
    try:
        data = kept.read(path)  # once: another run of the same training may replace the file
        tensors = safetensors.torch.load(data)
        _, metadata, _ = read_header(data)
        record = msgspec.json.decode(metadata.get("training", ""), type=_Record)
    except (DataError, safetensors.SafetensorError, msgspec.MsgspecError) as error:
        _LOG.warning("training begins anew: checkpoint %s", error)
        return None
    if record.format != _FORMAT:
        _LOG.warning("training begins anew: checkpoint %s is of another version", path)
        return None
    if record.identity != identity:
        raise _unusable(path, "it is of a training with other settings, data or network")
    try:
        restore(model, tensors)
        _restore_optimizer(optimizer, _under("optimizer/", tensors))
    except (CompressError, KeyError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    best = _under("best/", tensors)
    return History(record.losses, record.validation, record.best_epoch, best)


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, held in tensors.items():
        index, _, key = name.partition("/")
        if not index.isdecimal():
            raise FormatError(f"the optimizer has no part {name!r}")
        state.setdefault(int(index), {})[key] = held
    groups = optimizer.state_dict()["param_groups"]
    sizes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    for place, parts in state.items():
        for tensor in parts.values():
            if place >= len(sizes) or (tensor.ndim and tensor.shape != sizes[place]):
                raise FormatError("the optimizer's state does not fit the model")
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _held(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): held for n, held in tensors.items() if n.startswith(prefix)}


def _unusable(path: Path, why: str) -> DataError:
    return DataError(f"checkpoint {path} cannot be used: {why}; delete it to train from the start")

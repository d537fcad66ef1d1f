"""Channels taken out of the layers of a torch module, in place: plain layers, only smaller.

A channel is an index of the axis by which a layer reads ("in") or gives ("out"). A layer that gives
what it reads, channel by channel, has one axis for both. A module that counts heads has "heads".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from compress.errors import UnsupportedLayerError

Side = Literal["in", "out", "heads"]
Channels = NDArray[np.int64]
Layer = nn.Module | nn.Parameter  # a parameter that no layer of torch's holds is one of its own

#: Attributes that hold a number of heads.
_HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead")
_RUNNING = ("weight", "bias", "running_mean", "running_var")  # of a BatchNorm


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Channels to take out of a layer, or out of a parameter that no layer of torch's holds."""

    name: str  #: of the layer or the parameter
    side: Side
    removed: Channels  #: in order, each once


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a layer has its channels of one side."""

    tensors: tuple[tuple[str, int], ...]  #: names, and the axis of each; those that are None, too
    counts: tuple[str, ...]  #: attributes that hold the number of channels
    groups: int = 1  #: parts that must stay of equal size
    parts: str | None = None  #: the tensor that has the channels of the first part alone


def axis_of(layer: Layer, side: Side) -> Axis | None:
    """Return where a layer or a bare parameter has its channels; None where that is not known."""
    match layer:
        case nn.Module() if side == "heads":
            counts = tuple(name for name in _HEADS if isinstance(getattr(layer, name, None), int))
            return Axis((), counts) if counts else None
        case nn.Parameter():
            axes = [axis for axis, size in enumerate(layer.shape) if size > 1]
            return Axis((("", axes[-1]),), ()) if axes else None
        case _ConvNd():
            return _axis_of_convolution(layer, side)
        case nn.Linear():
            if side == "in":
                return Axis((("weight", 1),), ("in_features",))
            return Axis((("weight", 0), ("bias", 0)), ("out_features",))
        case nn.Embedding():
            return Axis((("weight", 1),), ("embedding_dim",))
        case _BatchNorm():  # and InstanceNorm
            return Axis(tuple((name, 0) for name in _RUNNING), ("num_features",))
        case nn.GroupNorm():
            return Axis((("weight", 0), ("bias", 0)), ("num_channels",), layer.num_groups)
        case nn.LayerNorm() if len(layer.normalized_shape) == 1:
            return Axis((("weight", 0), ("bias", 0)), ("normalized_shape",))
        case nn.PReLU() if layer.num_parameters > 1:
            return Axis((("weight", 0),), ("num_parameters",))
        case _:
            return None


def _axis_of_convolution(layer: _ConvNd, side: Side) -> Axis | None:
    if layer.groups == layer.out_channels > 1:
        if layer.in_channels != layer.out_channels:
            return None
        return Axis((("weight", 0), ("bias", 0)), ("in_channels", "out_channels", "groups"))
    first = "in" if layer.transposed else "out"  # the side that the weight has in front
    weight = ("weight", 0 if side == first else 1)
    parts = None if side == first or layer.groups == 1 else "weight"
    if side == "in":
        return Axis((weight,), ("in_channels",), layer.groups, parts)
    return Axis((weight, ("bias", 0)), ("out_channels",), layer.groups, parts)


def layers_of(model: nn.Module) -> dict[str, Layer]:
    """Return modules and parameters by their names."""
    return {**dict(model.named_parameters()), **dict(model.named_modules())}


def squares(layer: Layer, side: Side) -> NDArray[np.float64] | None:
    """Return the squares of a layer's weights, summed by channel; None where it has no weight.

    Shape `(channels,)`.
    """
    axis = axis_of(layer, side)
    assert axis is not None
    if not axis.tensors:
        return None
    name, place = axis.tensors[0]
    held = _tensor(layer, name)
    if held is None:
        return None
    rows = held.detach().double().movedim(place, 0).reshape(held.shape[place], -1)
    sums: NDArray[np.float64] = rows.square().sum(1).cpu().numpy()
    return np.tile(sums, axis.groups) if name == axis.parts else sums


@torch.no_grad()
def ignore(model: nn.Module, cuts: Iterable[Cut]) -> None:
    """Have layers read zero in place of channels."""
    layers = layers_of(model)
    for one in cuts:
        if one.side == "in":
            axis = axis_of(layers[one.name], "in")
            assert axis is not None
            name, place = axis.tensors[0]
            weight = _tensor(layers[one.name], name)
            assert weight is not None
            removed = _within(one, axis, name, weight.shape[place])
            weight.index_fill_(place, torch.from_numpy(removed).to(weight.device), 0)


@torch.no_grad()
def cut(model: nn.Module, cuts: Iterable[Cut]) -> None:
    """Take channels out, in place; a parameter stays the same object, so that ties hold.

    Raises:
        UnsupportedLayerError: when layers that share a tensor do not agree.
    """
    layers = layers_of(model)
    # Before any is cut: a convolution may become one of another kind.
    axes = [(one, layers[one.name], axis_of(layers[one.name], one.side)) for one in cuts]
    done: dict[tuple[int, int], Channels] = {}  # by tensor and axis: a tied one is cut once
    for one, layer, axis in axes:
        assert axis is not None
        for name, place in axis.tensors:
            held = _tensor(layer, name)
            if held is None:
                continue
            key, removed = (id(held), place), _within(one, axis, name, held.shape[place])
            if key not in done:
                keep = np.setdiff1d(np.arange(held.shape[place]), removed)
                held.data = held.data.index_select(place, torch.from_numpy(keep).to(held.device))
                held.grad, done[key] = None, one.removed
            elif not np.array_equal(done[key], one.removed):
                raise UnsupportedLayerError(f"{one.name} shares a tensor that is cut otherwise")
        for count in axis.counts:
            before = getattr(layer, count)
            is_shape = isinstance(before, tuple)
            left = (before[0] if is_shape else before) - len(one.removed)
            setattr(layer, count, (left,) if is_shape else left)


def _tensor(layer: Layer, name: str) -> Tensor | None:
    held = getattr(layer, name) if name else layer
    assert held is None or isinstance(held, Tensor)
    return held


def _within(one: Cut, axis: Axis, name: str, size: int) -> Channels:
    """Return the channels that a tensor loses: of equal parts it may have the first alone."""
    return one.removed[one.removed < size] if name == axis.parts else one.removed

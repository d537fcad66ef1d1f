"""Which channels of a torch module go together.

A channel that a layer gives is read by others, added to those of further layers, and so on: all of
that goes, or none. torch-pruning follows a run of the network backwards to tell what is coupled. It
knows views and shuffles of channels only in part, so what it says is tried: a group without which
the network gives other shapes, or whose channels are not those that it says, is left alone.

Source: Fang et al. 2023, arXiv:2301.12900 (the dependency graph, the group's norm).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._pytree import tree_leaves

from compress.errors import MissingExtraError
from compress.passes.torch_surgery import (
    Channels,
    Cut,
    Layer,
    Side,
    axis_of,
    layers_of,
    squares,
)  # fmt: skip
from compress.passes.torch_trials import Trials, in_one_line

_ROOTS = (_ConvNd, nn.Linear, nn.Embedding)  # layers whose channels may go
_MEANS = (nn.LayerNorm, nn.GroupNorm)  # layers that take means over channels
_OTHER_SHAPES = "without some of its channels the network gives other shapes"
_OTHER_CHANNELS = "its channels are not those that the layers behind it read"
#: What attention leaves in the graph of gradients, by its beginning.
_ATTENTION = ("ScaledDotProduct", "Bmm", "Softmax")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a group has of one side of one layer."""

    name: str  #: of the layer or the bare parameter
    side: Side
    channels: Channels
    units: Channels  #: the unit of each channel


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Channels that go together, in units each of which goes as a whole."""

    name: str  #: of the layer that gives them
    parts: tuple[Part, ...]
    n_units: int
    step: int  #: the number of units that stay is a multiple of this

    def kept(self, wanted: float) -> int:
        """Return how many units stay where about so many should: one step at least."""
        return min(self.n_units, max(self.step, round(wanted / self.step) * self.step))

    def cuts(self, units: Channels) -> list[Cut]:
        """Return what goes with some units."""
        removed = (p.channels[np.isin(p.units, units)] for p in self.parts)
        pairs = zip(self.parts, removed, strict=True)
        return [Cut(part.name, part.side, np.sort(own)) for part, own in pairs if len(own)]


def groups_of(trials: Trials, round_to: int) -> tuple[list[Group], dict[str, str]]:
    """Return the groups that may go, and why others are left alone, by the layer that gives them.

    Args:
        trials: of the network.
        round_to: what numbers of channels are a multiple of; heads are counted as they are.

    Raises:
        UnsupportedLayerError: when the network cannot be followed.
        MissingExtraError: when torch-pruning is not installed.
    """
    groups: list[Group] = []
    left_alone: dict[str, str] = {}
    for name, made in _coupled(trials, round_to):
        if isinstance(made, Group):
            groups.append(made)
        else:
            left_alone[name] = made
    run = _that_hold(groups, trials.keeps_shapes)
    left_alone |= dict.fromkeys((g.name for g in groups if g not in run), _OTHER_SHAPES)
    layers = layers_of(trials.model)
    # A mean over channels is another without some of them, so that it does not tell which they are.
    normed = [g for g in run if any(isinstance(layers[p.name], _MEANS) for p in g.parts)]
    right = _that_hold([group for group in run if group not in normed], trials.keeps_meaning)
    found = [group for group in run if group in normed or group in right]
    left_alone |= dict.fromkeys((g.name for g in run if g not in found), _OTHER_CHANNELS)
    return found, left_alone


def _that_hold(groups: Sequence[Group], holds: Callable[[Sequence[Cut]], bool]) -> list[Group]:
    """Return groups that hold together, found by halves."""
    kept: list[Group] = []

    def grow(more: Sequence[Group]) -> None:
        if more and holds([one for group in (*kept, *more) for one in _half(group)]):
            kept.extend(more)
        elif len(more) > 1:
            grow(more[: len(more) // 2])
            grow(more[len(more) // 2 :])

    grow(groups)
    return kept


def _half(group: Group) -> list[Cut]:
    return group.cuts(np.arange(group.kept(group.n_units / 2), group.n_units))


def scores_of(model: nn.Module, group: Group, *, by_norm: bool) -> NDArray[np.float64] | None:
    """Return what each unit of a group counts, 1 in the mean; None where nothing tells.

    It is the mean over the group's weights of the squares that a unit has in each, or of the
    BatchNorms' scales alone, where they are asked for.

    Args:
        model: of the group.
        group: of the model.
        by_norm: take the scales of BatchNorms, and nothing else.

    Source: Fang et al. 2023, sec. 3.3; Liu et al. 2017, arXiv:1708.06519 (the scales).
    """
    layers = layers_of(model)
    sums: list[NDArray[np.float64]] = []
    for part in group.parts:
        layer = layers[part.name]
        held = None
        if not by_norm or isinstance(layer, _BatchNorm):
            held = squares(layer, part.side)
        if held is not None:
            values = held[part.channels]
            own = np.sqrt(values) if by_norm else values
            sums.append(np.bincount(part.units, own, group.n_units).astype(np.float64))
    if not sums:
        return None
    total: NDArray[np.float64] = np.mean(sums, axis=0)
    mean = total.mean()
    return total / mean if mean > 0 else total


def _coupled(trials: Trials, round_to: int) -> list[tuple[str, Group | str]]:
    """Return what is coupled, or why it is left alone, by the layer that gives it."""
    try:
        from torch_pruning import DependencyGraph
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch-pruning", "torch") from error

    def floats(outputs: Any) -> list[Tensor]:  # noqa: ANN401  (what a network returns)
        leaves = tree_leaves(outputs)
        return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.grad_fn is not None]

    names = {layer: name for name, layer in layers_of(trials.twin).items()}
    with in_one_line("torch-pruning cannot follow the network"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that no layer holds: all is tried
        with trials.mode():
            graph = DependencyGraph().build_dependency(
                trials.twin,
                trials.inputs,
                forward_fn=lambda model, inputs: model(*inputs),
                output_transform=floats,
                verbose=False,
            )
        found = [
            (names[group[0].dep.target.module], _from_behind(graph, group))
            for group in graph.get_all_groups(root_module_types=_ROOTS)
        ]
        return [(name, _made(name, group, graph, names, round_to)) for name, group in found]


def _is_attention(group: Any) -> bool:  # noqa: ANN401  (torch-pruning's)
    told = (str(getattr(dep.target.module, "_grad_fn", "")) for dep, _ in group)
    return any(name.startswith(_ATTENTION) for name in told)


def _from_behind(graph: Any, group: Any) -> Any:  # noqa: ANN401  (torch-pruning's)
    """Begin a group of attention behind it, where queries, keys and values are one again."""
    if _is_attention(group):
        for dep, _ in group:
            layer = dep.target.module
            if isinstance(layer, nn.Linear) and graph.is_in_channel_pruning_fn(dep.handler):
                return graph.get_pruning_group(layer, dep.handler, range(layer.in_features))
    return group


def _made(
    name: str,
    found: Any,  # noqa: ANN401  (torch-pruning's)
    graph: Any,  # noqa: ANN401  (torch-pruning's)
    names: dict[Layer, str],
    round_to: int,
) -> Group | str:
    """Return a group as ours, or why it is left alone."""
    n, equal = len(found[0].idxs), 1
    parts: list[Part] = []  # whose units are channels of the first, for now
    for item in found:
        layer = item.dep.target.module
        if layer not in names:
            if type(layer).__name__ == "_OutputOp":
                return "its channels are the network's outputs"
            continue  # a function: there is nothing to cut
        side: Side = "out" if graph.is_out_channel_pruning_fn(item.dep.handler) else "in"
        axis = axis_of(layer, side)
        if axis is None or None in item.root_idxs:
            return f"it goes with {names[layer]}, a {type(layer).__name__}, which cannot be cut"
        channels = np.array(item.idxs, np.int64)
        if axis.groups > 1 and not np.array_equal(np.sort(channels), np.arange(n)):
            return f"it is a part of what {names[layer]} reads in equal groups"
        equal = math.lcm(equal, axis.groups)
        parts.append(Part(names[layer], side, channels, np.array(item.root_idxs, np.int64)))
    if _is_attention(found):
        heads = _counts_heads(layers_of(graph.model), parts)
        if heads is None or n % heads[1] or equal > 1:
            return "how many heads of attention it has is not known"
        size, count = n // heads[1], np.arange(heads[1])
        own = [Part(p.name, p.side, p.channels, p.units // size) for p in parts]
        return Group(name, (*own, Part(heads[0], "heads", count, count)), heads[1], 1)
    size, step = n // equal, round_to // math.gcd(round_to, equal)
    if size <= step:
        return f"it has {n} channels, and {step * equal} stay at least"
    own = [Part(p.name, p.side, p.channels, p.units % size) for p in parts]
    return Group(name, tuple(own), size, step)


def _counts_heads(layers: dict[str, Layer], parts: Sequence[Part]) -> tuple[str, int] | None:
    """Return the module that counts the heads of attention, and their number."""
    name = next((part.name for part in parts if part.side == "out"), "")
    while name:
        name = name.rpartition(".")[0]
        axis = axis_of(layers[name], "heads")
        if axis is not None:
            return name, int(getattr(layers[name], axis.counts[0]))
    return None

"""Structured pruning: channels go until a share of the MACs is gone, and layers become smaller.

Heads of attention and widths of feed-forward layers are channels, too. Those that count least go,
by one measure over all layers or the same share of each; how many is found by halving.

Sources: Fang et al. 2023, arXiv:2301.12900 (groups of channels and their norm); Liu et al. 2017,
arXiv:1708.06519 (scales of BatchNorms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_never

from compress.errors import DataError, SettingsError, UnsupportedLayerError
from compress.passes.chosen import all_of
from compress.passes.context import Context, Layer, Passed, layer_of
from compress.passes.network import Differentiable, Network, Skipped
from compress.passes.settings import StructuredSettings

if TYPE_CHECKING:  # an ONNX file is refused where there is no torch
    from compress.passes.torch_channels import Group
    from compress.passes.torch_surgery import Cut
    from compress.passes.torch_trials import Trials

_STAYS = "none of its channels is among those that count least"


def structured(network: Network, settings: StructuredSettings, context: Context) -> Passed:
    """Take channels out of a network in place; train what is left where there is training.

    Raises:
        SettingsError: when the network is an ONNX file, or its weights were pruned or shared.
        UnsupportedLayerError: when the network cannot be followed, or too few channels can go.
        DataError: when weights are not finite.
        MissingExtraError: when torch-pruning is not installed.
    """
    if not isinstance(network, Differentiable):
        raise SettingsError("structured needs a torch network: an ONNX file's graph stays as it is")
    from compress.passes.torch_channels import groups_of
    from compress.passes.torch_network import TorchNetwork
    from compress.passes.torch_surgery import cut
    from compress.passes.torch_trials import Trials

    assert isinstance(network, TorchNetwork)
    assert context.examples is not None
    weights, _ = all_of(network)
    for weight in weights:
        if weight.mask is not None or weight.is_shared:
            raise SettingsError(f"structured must come before {weight.name} is pruned or shared")
        if not np.isfinite(weight.values()).all():
            raise DataError(f"{weight.name}: weights must be finite")
    shapes = {weight.name: weight.shape for weight in weights}
    context.note("looks for channels that go together")
    trials = Trials(network.model, network.inputs(context.examples))
    groups, left_alone = groups_of(trials, settings.round_to)
    chosen = _chosen(trials, _ranked(network, groups, left_alone, settings), settings)
    cut(network.model, chosen.cuts)
    if context.fit is not None:
        context.fit(None)
    figures = {
        "macs_dense": trials.dense.macs // context.n_examples,
        "macs": chosen.macs // context.n_examples,
        "params_dense": _params(trials.twin),
        "params": _params(network.model),
    }
    plan = {"cuts": [[one.name, one.side, one.removed.tolist()] for one in chosen.cuts]}
    layers, skipped = _told(network, shapes, left_alone)
    return Passed(layers=layers, skipped=skipped, figures=figures, plan=plan)


def rebuild(network: Network, plan: Mapping[str, Any]) -> None:
    """Take the channels of a plan out of a network that has all of them."""
    from compress.passes.torch_network import TorchNetwork
    from compress.passes.torch_surgery import Cut, cut

    assert isinstance(network, TorchNetwork)
    cuts = [Cut(name, side, np.array(removed, np.int64)) for name, side, removed in plan["cuts"]]
    cut(network.model, cuts)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """A group with what each of its units counts."""

    group: Group
    scores: NDArray[np.float64]  #: shape `(n_units,)`


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What goes, and the MACs that stay."""

    cuts: Sequence[Cut]
    macs: int


def _ranked(
    network: Any,  # noqa: ANN401  (of torch)
    groups: Sequence[Group],
    left_alone: dict[str, str],
    settings: StructuredSettings,
) -> list[_Ranked]:
    """Return the groups with their scores; those that nothing tells of are left alone."""
    from compress.passes.torch_channels import scores_of

    found = []
    for group in groups:
        scores = scores_of(network.model, group, by_norm=settings.importance == "bn")
        if scores is None:
            left_alone[group.name] = "no BatchNorm has a scale for its channels"
        else:
            found.append(_Ranked(group, scores))
    if not found:
        told = [f"{name} is left alone: {why}" for name, why in left_alone.items()]
        raise UnsupportedLayerError("; ".join(["no channels can be taken out", *told[:1]]))
    return found


def _chosen(trials: Trials, ranked: Sequence[_Ranked], settings: StructuredSettings) -> _Chosen:
    """Return the smallest cut with which the share of the MACs is gone.

    Raises:
        UnsupportedLayerError: when there is none.
    """
    total = sum(len(one.scores) for one in ranked)
    target = (1 - settings.macs_removed) * trials.dense.macs

    def without(count: int) -> _Chosen:
        cuts = _cuts(ranked, count, settings)
        return _Chosen(cuts, trials.macs_without(cuts) if cuts else trials.dense.macs)

    best = without(total)
    if best.macs > target:
        most = 1 - best.macs / max(trials.dense.macs, 1)
        raise UnsupportedLayerError(
            f"structured {settings.macs_removed:g} is more than can be taken out: of the MACs "
            f"{most:.2f} go with all channels that may go"
        )
    low, high = 0, total  # of low not enough goes, of high it does
    while high - low > 1:
        middle = (low + high) // 2
        found = without(middle)
        if found.macs <= target:
            high, best = middle, found
        else:
            low = middle
    return best


def _cuts(ranked: Sequence[_Ranked], count: int, settings: StructuredSettings) -> list[Cut]:
    """Return what goes where so many units are to, of each group a number that may."""
    sizes = np.array([len(one.scores) for one in ranked])
    match settings.scope:
        case "global":
            scores = np.concatenate([one.scores for one in ranked])
            least = np.argsort(scores, kind="stable")[:count]
            owners = np.repeat(np.arange(len(ranked)), sizes)
            going = np.bincount(owners[least], minlength=len(ranked)).astype(np.float64)
        case "uniform":
            going = sizes * (count / sizes.sum())
        case _:
            assert_never(settings.scope)
    found: list[Cut] = []
    for one, size, share in zip(ranked, sizes, going, strict=True):
        order = np.argsort(one.scores, kind="stable")
        found += one.group.cuts(order[: size - one.group.kept(float(size - share))])
    return found


def _told(
    network: Network, shapes: Mapping[str, tuple[int, ...]], left_alone: Mapping[str, str]
) -> tuple[tuple[Layer, ...], tuple[Skipped, ...]]:
    """Return the weights that became smaller, and why each other parameter did not."""
    weights, skipped = network.weights()
    layers, stayed = [], list(skipped)
    for weight in weights:
        if weight.shape == shapes[weight.name]:
            reasons = (left_alone[name] for name in sorted(weight.names) if name in left_alone)
            stayed.append(Skipped(weight.name, next(reasons, _STAYS)))
        else:
            layers.append(layer_of(weight))
    return tuple(layers), tuple(stayed)


def _params(model: Any) -> int:  # noqa: ANN401  (a module of torch)
    return sum(parameter.numel() for parameter in model.parameters())

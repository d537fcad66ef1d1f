"""Magnitude pruning: the smallest weights become zero and stay zero.

Sources: Han et al. 2015, arXiv:1506.02626 (magnitude); Lee et al. 2021, arXiv:2010.07611 (LAMP);
Zhu & Gupta 2017, arXiv:1710.01878, eq. 1 (the gradual schedule).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import assert_never

from compress.constraints import Constraints, Mask, Shared, constraints_of
from compress.errors import SettingsError
from compress.kernels.magnitude import (
    keep_largest,
    lamp_scores,
    smallest_counts,
    sorted_magnitudes,
)
from compress.passes.settings import PruneSettings, Scope
from compress.passes.targets import Kind
from compress.passes.weights import Skipped, Weight, require_some, weights_of

OnStep = Callable[[int, int], None]
FineTune = Callable[[nn.Module, OnStep | None], object]


@dataclass(frozen=True, slots=True)
class PrunedLayer:
    """What is left of one weight."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    weights: int
    nonzero: int

    @property
    def sparsity(self) -> float:
        """Zeros / weights."""
        return 1 - self.nonzero / self.weights


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What pruning did, weight by weight."""

    layers: tuple[PrunedLayer, ...]
    skipped: tuple[Skipped, ...]

    @property
    def weights(self) -> int:
        """Weights in the pruned layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def nonzero(self) -> int:
        """Weights in the pruned layers that are left."""
        return sum(layer.nonzero for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Zeros / weights over the pruned layers."""
        return 1 - self.nonzero / self.weights if self.weights else 0.0


def prune(
    model: nn.Module, settings: PruneSettings, *, fine_tune: FineTune | None = None
) -> tuple[nn.Module, PruneReport]:
    """Prune a model in place; what earlier masks took stays pruned.

    Without `fine_tune` the pruning is one-shot, whatever the schedule.

    Args:
        model: the model; its masks are kept in its constraints.
        settings: how much, where and when.
        fine_tune: trains the model in place. It calls its second argument, when that is not None,
            as `on_step(step, total)` before each of its `total` steps.

    Raises:
        SettingsError: when a target matches no layer, or its weights are shared already.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    weights, skipped = weights_of(model)
    require_some(weights, skipped)
    targets = settings.sparsity.resolve(weights)
    addressed = [weight for weight in weights if weight.name in targets]
    skipped += [Skipped(w.name, "no target matches") for w in weights if w.name not in targets]
    for weight in addressed:
        if isinstance(constraints_of(model).by_name.get(weight.name), Shared):
            raise SettingsError(f"{weight.name} must be pruned before its weights are shared")

    def prune_to(progress: float) -> None:
        reached = 1 - (1 - progress) ** 3
        plan = {name: (value * reached, plain) for name, (value, plain) in targets.items()}
        _prune_once(model, addressed, plan, settings.scope)

    def on_step(step: int, total: int) -> None:
        if (progress := _progress(settings, step, total)) is not None:
            prune_to(progress)

    if fine_tune is not None and settings.schedule == "gradual":
        fine_tune(model, on_step)
        prune_to(1.0)  # for a training that ended before the schedule
    else:
        prune_to(1.0)
        if fine_tune is not None:
            fine_tune(model, None)
    layers = tuple(map(_pruned_layer, addressed))
    return model, PruneReport(layers, tuple(skipped))


def _progress(settings: PruneSettings, step: int, total: int) -> float | None:
    """Return how far the schedule is, in [0, 1], at a step that prunes."""
    begin, end = round(settings.begin * total), round(settings.end * total)
    if step == end:
        return 1.0
    if begin <= step < end and (step - begin) % settings.interval == 0:
        return (step - begin) / (end - begin)
    return None


def _prune_once(
    model: nn.Module,
    weights: Sequence[Weight],
    plan: Mapping[str, tuple[float, bool]],
    scope: Scope,
) -> None:
    """Bring weights to their sparsities by new masks, and apply them."""
    constraints = constraints_of(model)
    constraints.apply(model)
    counts = {w.name: _rounded(plan[w.name][0], w.parameter.numel()) for w in weights}
    pool = [weight for weight in weights if plan[weight.name][1]]
    if pool:
        counts |= _pool_counts(constraints, pool, plan[pool[0].name][0], scope)
    for weight in weights:
        earlier = _earlier_mask(constraints, weight)
        if counts[weight.name] == 0 and earlier is None:
            continue
        with weight.named_errors():
            keep = keep_largest(weight.values(), counts[weight.name], earlier)
        shaped = torch.from_numpy(keep).view(weight.parameter.shape)
        constraints.by_name[weight.name] = Mask(shaped.to(weight.parameter.device))
    constraints.apply(model)


def _rounded(sparsity: float, n: int) -> int:
    """Return how many of n weights are zeros: the nearest number that leaves one."""
    return min(round(sparsity * n), n - 1)


def _pool_counts(
    constraints: Constraints, pool: Sequence[Weight], sparsity: float, scope: Scope
) -> dict[str, int]:
    """Return how many weights each layer gives for one sparsity over all of them."""
    match scope:
        case "uniform":
            return {w.name: _rounded(sparsity, w.parameter.numel()) for w in pool}
        case "lamp" | "global":
            pass
        case _:
            assert_never(scope)
    sizes = [weight.parameter.numel() for weight in pool]
    scores = np.split(np.empty(sum(sizes), np.float32), np.cumsum(sizes)[:-1])
    for weight, layer in zip(pool, scores, strict=True):
        with weight.named_errors():
            sorted_magnitudes(weight.values(), _earlier_mask(constraints, weight), layer)
        if scope == "lamp":
            lamp_scores(layer)
    # LAMP leaves each layer its largest weight; what earlier masks took has negative scores.
    n_left = sum(int(layer[-1] >= 0) for layer in scores) if scope == "lamp" else 0
    n_taken = sum(int(np.searchsorted(layer, np.float32(0))) for layer in scores)
    wanted = min(_rounded(sparsity, sum(sizes)), sum(sizes) - n_left)
    counts = smallest_counts(scores, max(wanted, n_taken))
    return {weight.name: count for weight, count in zip(pool, counts, strict=True)}


def _earlier_mask(constraints: Constraints, weight: Weight) -> NDArray[np.bool_] | None:
    """Return what a weight's mask keeps, shape `(n,)`."""
    constraint = constraints.by_name.get(weight.name)
    if not isinstance(constraint, Mask):
        return None
    keep: NDArray[np.bool_] = constraint.keep.cpu().reshape(-1).numpy()
    return keep


def _pruned_layer(weight: Weight) -> PrunedLayer:
    parameter = weight.parameter.detach()
    nonzero = int(torch.count_nonzero(parameter))
    return PrunedLayer(weight.name, weight.kind, tuple(parameter.shape), parameter.numel(), nonzero)

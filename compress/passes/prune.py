"""Magnitude pruning: the smallest weights become zero and stay zero.

They are the smallest of a layer, of all layers, or, for N:M, of each M inputs (`patterns`).
Without training, but with samples, what is left of a layer makes up for what is pruned, and biases
move so that channels keep their means; each is kept where it helps on samples held apart.

Sources: Han et al. 2015, arXiv:1506.02626 (magnitude); Lee et al. 2021, arXiv:2010.07611 (LAMP);
Zhu & Gupta 2017, arXiv:1710.01878, eq. 1 (the gradual schedule); Mishra et al. 2021,
arXiv:2104.08378, sec. 4 (N:M, then training).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from typing_extensions import assert_never

from compress.errors import SettingsError
from compress.kernels.magnitude import (
    Mask,
    keep_largest,
    lamp_scores,
    smallest_counts,
    sorted_magnitudes,
)
from compress.passes.chosen import addressed
from compress.passes.context import Context, Passed, layer_of
from compress.passes.inputs import input_factors, reconstructed
from compress.passes.network import Network, Values, Weight, named_errors
from compress.passes.patterns import prune_in_groups
from compress.passes.settings import PruneSettings, Scope
from compress.passes.steps import steps_on
from compress.passes.targets import Pattern

Target = tuple[Weight, float, bool]  # with its sparsity, and whether that is the plain one


def prune(network: Network, settings: PruneSettings, context: Context) -> Passed:
    """Prune a network in place; what earlier masks took stays pruned.

    Without training the pruning is one-shot, whatever the schedule. N:M is always reached at once,
    where a gradual schedule begins: all training behind that is under the last mask.

    Raises:
        SettingsError: when a target matches no layer, or its weights are shared already.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    targets, skipped = addressed(network, settings.sparsity)
    weights = [weight for weight, _, _ in targets]
    for weight in weights:
        if weight.is_shared:
            raise SettingsError(f"{weight.name} must be pruned before its weights are shared")

    grouped = [(w, value) for w, value, _ in targets if isinstance(value, Pattern)]
    others = [(w, value, plain) for w, value, plain in targets if not isinstance(value, Pattern)]

    def prune_to(progress: float) -> None:
        reached = 1 - (1 - progress) ** 3
        _prune_once([(w, value * reached, plain) for w, value, plain in others], settings.scope)
        for weight, pattern in grouped:
            prune_in_groups(weight, pattern)

    def on_step(step: int, total: int) -> None:
        if (progress := _progress(settings, step, total)) is not None:
            prune_to(progress)

    notes: Sequence[str] = ()
    if context.fit is None:
        notes = _made_up_for(network, weights, context, settings.samples, lambda: prune_to(1.0))
    elif settings.schedule == "gradual":
        context.fit(on_step)
        prune_to(1.0)  # for a training that ended before the schedule
    else:
        prune_to(1.0)
        context.fit(None)
    layers = tuple(
        layer_of(weight, str(value) if isinstance(value, Pattern) else None)
        for weight, value, _ in targets
    )
    return Passed(layers=layers, skipped=tuple(skipped), notes=tuple(notes))


def _made_up_for(
    network: Network,
    weights: Sequence[Weight],
    context: Context,
    samples: int,
    prune_all: Callable[[], None],
) -> Sequence[str]:
    """Prune, and have biases and what is left make up for it; return what was left out.

    What is left is judged with the biases that go with it: alone it may look better than it is.
    """
    steps, why_not = steps_on(network, context, samples)
    if steps is None:
        prune_all()
        return why_not
    context.note("looks at what its layers are given")
    factors = input_factors(network, weights, steps.seen)
    dense = {w.name: w.values().copy() for w in weights if w.name in factors}
    prune_all()
    steps.correct()
    pruned = {w.name: w.mask for w in weights if w.name in dense and w.mask is not None}

    def write(values: Callable[[Weight, Mask], Values]) -> None:
        steps.reset()
        for weight in weights:
            keep = pruned.get(weight.name)
            if keep is not None:
                weight.set_values(values(weight, keep))
                weight.set_mask(keep)
        steps.correct()

    def rebuilt(weight: Weight, keep: Mask) -> Values:
        return reconstructed(weight, dense[weight.name], keep, factors[weight.name])

    if pruned and not steps.helps("making up for what is pruned", lambda: write(rebuilt)):
        write(lambda weight, _: dense[weight.name])
    return (*network.notes, *steps.left_out.values())


def _progress(settings: PruneSettings, step: int, total: int) -> float | None:
    """Return how far the schedule is, in [0, 1], at a step that prunes."""
    begin, end = round(settings.begin * total), round(settings.end * total)
    if step == end:
        return 1.0
    if begin <= step < end and (step - begin) % settings.interval == 0:
        return (step - begin) / (end - begin)
    return None


def _prune_once(targets: Sequence[Target], scope: Scope) -> None:
    """Bring weights to their sparsities by new masks."""
    counts = {w.name: _rounded(value, math.prod(w.shape)) for w, value, _ in targets}
    pool = [(weight, value) for weight, value, plain in targets if plain]
    if pool:
        counts |= _pool_counts([weight for weight, _ in pool], pool[0][1], scope)
    for weight, _, _ in targets:
        earlier = weight.mask
        if counts[weight.name] == 0 and earlier is None:
            continue
        with named_errors(weight):
            keep = keep_largest(weight.values(), counts[weight.name], earlier)
        weight.set_mask(keep)


def _rounded(sparsity: float, n: int) -> int:
    """Return how many of n weights are zeros: the nearest number that leaves one."""
    return min(round(sparsity * n), n - 1)


def _pool_counts(pool: Sequence[Weight], sparsity: float, scope: Scope) -> dict[str, int]:
    """Return how many weights each layer gives for one sparsity over all of them."""
    sizes = [math.prod(weight.shape) for weight in pool]
    match scope:
        case "uniform":
            return {w.name: _rounded(sparsity, n) for w, n in zip(pool, sizes, strict=True)}
        case "lamp" | "global":
            pass
        case _:
            assert_never(scope)
    scores = np.split(np.empty(sum(sizes), np.float32), np.cumsum(sizes)[:-1])
    for weight, layer in zip(pool, scores, strict=True):
        with named_errors(weight):
            sorted_magnitudes(weight.values(), weight.mask, layer)
        if scope == "lamp":
            lamp_scores(layer)
    # LAMP leaves each layer its largest weight; what earlier masks took has negative scores.
    n_left = sum(int(layer[-1] >= 0) for layer in scores) if scope == "lamp" else 0
    n_taken = sum(int(np.searchsorted(layer, np.float32(0))) for layer in scores)
    wanted = min(_rounded(sparsity, sum(sizes)), sum(sizes) - n_left)
    counts = smallest_counts(scores, max(wanted, n_taken))
    return {weight.name: count for weight, count in zip(pool, counts, strict=True)}

"""Weight sharing for a size of the file: one price of a bit for all layers, found by bisection.

A layer in which errors cost more, or whose weights are spread wider, gets more bits at the same
price; that is what makes the sum of errors least for the sum of bits.

Sources: Choi, El-Khamy & Lee 2016, arXiv:1612.01543, sec. 5 (entropy-constrained sharing, Fisher
weights); Shoham & Gersho 1988 (one slope for all).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.codecs.threads import n_cores, side_by_side
from compress.constraints import Shared, constraints_of
from compress.errors import SettingsError
from compress.kernels.rate import Quantized, quantize
from compress.passes.apart import Apart, held_apart, least
from compress.passes.correct import Levels, channel_levels, correct_biases
from compress.passes.importance import fisher_diagonal
from compress.passes.inputs import Factor, compensated, input_factors
from compress.passes.samples import Samples, count, rows
from compress.passes.settings import BudgetSettings
from compress.passes.share import SharedLayer, ShareReport, keep
from compress.passes.weights import Weight, require_some, weights_of

_TRIES = 6  # at the size of the real file
_NEAR = 0.995  # of the target is near enough
_CENTROID_BITS = 10  # about what one takes in the file

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Layer:
    weight: Weight
    values: Values  #: before sharing, shape `(n,)`
    importance: Values | None
    factors: Sequence[Factor]  #: of its inputs, none where they are not known


def share_to_size(
    model: nn.Module,
    settings: BudgetSettings,
    *,
    file_bytes: Callable[[nn.Module], int],
    samples: Samples | None,
    seed: int,
    scores: bool = True,
) -> tuple[nn.Module, ShareReport]:
    """Share a model's weights in place, as well as a size of the file allows.

    A weight that is zero stays zero; others may become zero. Errors are made to cancel and biases
    are moved only where that brings the outputs of samples held apart nearer to what they were.

    Args:
        model: the model, pruned or not.
        settings: the size, and how errors count.
        file_bytes: the size of the file that a model makes.
        samples: inputs of the training part; None where there are none.
        seed: of the labels that the Fisher information is drawn from.
        scores: whether outputs of two axes are scores of classes.

    Raises:
        SettingsError: when the size cannot be reached, or samples are needed and there are none.
        DataError: when weights are not finite.
    """
    if samples is None and settings.importance != "none":
        raise SettingsError(
            f"importance {settings.importance} needs a task with a training part; give --task"
        )
    constraints_of(model).apply(model)
    weights, skipped = weights_of(model)
    require_some(weights, skipped)
    steps, notes = _steps(model, settings, samples, scores)
    layers = _layers(model, weights, settings, samples, steps, seed)
    shared = _Sharing(model, layers, settings, steps)

    def apply(found: Mapping[str, Quantized]) -> int:
        shared.apply(found)
        return file_bytes(model)

    _search(layers, settings, apply)
    if not any(layer.nonzero for layer in shared.kept):
        raise SettingsError(
            f"target_bytes must leave some weights, got {settings.target_bytes}: all became zero"
        )
    uncompensated = [layer.weight.name for layer in layers if not layer.factors]
    return model, ShareReport(
        layers=tuple(shared.kept),
        skipped=tuple(skipped),
        uncompensated=tuple(uncompensated) if shared.cancels else (),
        notes=(*notes, *shared.notes),
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the steps on samples need."""

    seen: tuple[Tensor, ...]  #: samples that they may use
    apart: Apart  #: what they are judged on
    corrected: tuple[Tensor, ...]  #: samples whose levels are kept
    levels: Sequence[Levels]  #: before sharing; none where biases are left alone


def _steps(
    model: nn.Module, settings: BudgetSettings, samples: Samples | None, scores: bool
) -> tuple[_Steps | None, tuple[str, ...]]:
    """Prepare the steps on samples, before sharing; or return why there are none."""
    wanted = max(settings.compensated, settings.corrected)
    if samples is None or not count(samples) or not wanted:
        return None, ()
    divided = held_apart(model, samples, scores=scores)
    if divided is None:
        return None, (
            f"{count(samples)} samples are too few to correct errors on and to judge that: "
            f"nothing is corrected with fewer than {least()}",
        )
    seen, apart = divided
    corrected = rows(seen, slice(settings.corrected))
    levels = channel_levels(model, corrected) if settings.corrected else []
    return _Steps(seen, apart, corrected, levels), ()


@dataclass(slots=True)
class _Sharing:
    """A model that is made what was found, as often as the search asks."""

    model: nn.Module
    layers: list[_Layer]
    settings: BudgetSettings
    steps: _Steps | None
    kept: list[SharedLayer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  #: which steps were left out, and why
    cancels: bool = False  #: whether errors were made to cancel
    _vectors: Mapping[str, Tensor] = field(init=False)  #: biases and what else may move

    def __post_init__(self) -> None:
        self._vectors = self._moved()

    def apply(self, found: Mapping[str, Quantized]) -> None:
        """Make the model what was found, with each step that helps."""
        self.notes.clear()
        self.cancels = False
        self.model.load_state_dict(self._vectors, strict=False)
        self._write(found)
        if self.steps is None:
            return
        lost = self.steps.apart.divergence(self.model)
        if self.settings.compensated:
            self._write(_compensated(self.layers, found))
            alone = lost
            lost = self._judged("compensated", lost, lambda: self._write(found))
            self.cancels = lost < alone
        if self.steps.levels:
            correct_biases(self.model, self.steps.corrected, self.steps.levels)
            vectors = self._vectors
            self._judged(
                "corrected", lost, lambda: self.model.load_state_dict(vectors, strict=False)
            )

    def _judged(self, step: str, before: float, undo: Callable[[], object]) -> float:
        """Undo a step that does not bring the outputs nearer; return how far off they are."""
        assert self.steps is not None
        apart = self.steps.apart
        after = apart.divergence(self.model)
        if after < before:
            return after
        undo()
        self.notes.append(
            f"{step} is left out: on {count(apart.samples)} samples held apart the divergence "
            f"would go from {before:.3g} to {after:.3g}"
        )
        return before

    def _write(self, found: Mapping[str, Quantized]) -> None:
        bits = self.settings.max_bits
        self.kept[:] = [_keep(self.model, layer, bits, found) for layer in self.layers]

    def _moved(self) -> Mapping[str, Tensor]:
        held = self.model.state_dict()
        return {name: vector.clone() for name, vector in held.items() if vector.ndim == 1}


def _layers(
    model: nn.Module,
    weights: list[Weight],
    settings: BudgetSettings,
    samples: Samples | None,
    steps: _Steps | None,
    seed: int,
) -> list[_Layer]:
    fisher: dict[str, Tensor] = {}
    if settings.importance != "none":
        assert samples is not None
        chosen = rows(samples, slice(settings.samples))
        fisher = fisher_diagonal(model, weights, chosen, seed=seed)
    factors: dict[str, list[Factor]] = {}
    if steps is not None and settings.compensated:
        factors = input_factors(model, weights, rows(steps.seen, slice(settings.compensated)))
    layers = []
    for weight in weights:
        held = fisher.get(weight.name)
        if held is not None and settings.importance == "layer":
            held = torch.full_like(held, float(held.mean()))
        importance = None if held is None else held.float().cpu().reshape(-1).numpy()
        own = factors.get(weight.name, [])
        layers.append(_Layer(weight, weight.values().copy(), importance, own))
    return layers


def _search(
    layers: list[_Layer],
    settings: BudgetSettings,
    apply: Callable[[Mapping[str, Quantized]], int],
) -> None:
    """Find the lowest price whose file fits; the entropy stands for the file on the way there."""
    target, limits = settings.target_bytes, _limits(layers)
    least, most = (
        _entropy_bytes(_at_price(layers, settings.max_bits, np.exp(limit)))
        for limit in reversed(limits)
    )
    aim, fits, fails = float(target), 0.0, np.inf  # entropies: to try, and the nearest that were
    best: tuple[int, Mapping[str, Quantized]] | None = None
    sizes = []
    found = None
    for _ in range(_TRIES):
        found = _at_size(layers, settings.max_bits, aim, limits)
        size, entropy = apply(found), _entropy_bytes(found)
        sizes.append(size)
        if size <= target:
            if best is None or size > best[0]:
                best = size, found
            if size >= _NEAR * target or entropy >= 0.999 * most:
                return
            fits = max(fits, aim)
        else:
            if entropy <= least:
                break
            fails = min(fails, aim, entropy)
        # What the file takes beside the entropy hardly changes.
        aim += (1 + _NEAR) / 2 * target - size
        if not fits < aim < fails:
            aim = (fits + fails) / 2
    if best is None:
        raise SettingsError(
            f"target_bytes must be a size that can be reached, got {target}; "
            f"the smallest file that was found takes {min(sizes)} bytes"
        )
    if best[1] is not found:
        apply(best[1])


def _limits(layers: list[_Layer]) -> tuple[float, float]:
    """Return logarithms of prices: float32 tells no change, and nearly all becomes zero."""
    squares = sum(float(np.square(layer.values, dtype=np.float64).sum()) for layer in layers)
    count = sum(int(np.count_nonzero(layer.values)) for layer in layers)
    mean = _mean_importance(layers)
    high = float(np.log(max(mean * squares / max(count, 1), 1e-30))) + 3
    return high - 30, high


def _at_size(
    layers: list[_Layer], max_bits: int, n_bytes: float, limits: tuple[float, float]
) -> Mapping[str, Quantized]:
    """Quantize all layers at the lowest price at which their entropy is at most `n_bytes`."""
    low, high = limits
    found = _at_price(layers, max_bits, np.exp(high))
    for _ in range(18):
        middle = (low + high) / 2
        tried = _at_price(layers, max_bits, np.exp(middle))
        if _entropy_bytes(tried) <= n_bytes:
            high, found = middle, tried
        else:
            low = middle
        if abs(_entropy_bytes(found) / max(n_bytes, 1) - 1) < (1 - _NEAR) / 4:
            break
    return found


def _mean_importance(layers: list[_Layer]) -> float:
    known = [layer.importance for layer in layers if layer.importance is not None]
    return float(np.mean([held.mean() for held in known])) if known else 1.0


def _at_price(layers: list[_Layer], max_bits: int, price: float) -> Mapping[str, Quantized]:
    def one(layer: _Layer) -> Quantized:
        with layer.weight.named_errors():
            return quantize(layer.values, layer.importance, price, (1 << max_bits) - 1)

    return _each(layers, one)


def _compensated(layers: list[_Layer], found: Mapping[str, Quantized]) -> Mapping[str, Quantized]:
    """Let the errors of a layer cancel on its inputs, where these are known."""

    def one(layer: _Layer) -> Quantized:
        own = found[layer.weight.name]
        if not layer.factors:
            return own
        return compensated(layer.weight, layer.values, layer.importance, own, layer.factors)

    return _each(layers, one)


def _each(layers: list[_Layer], one: Callable[[_Layer], Quantized]) -> Mapping[str, Quantized]:
    done = side_by_side(one, layers, n_cores())
    return {layer.weight.name: own for layer, own in zip(layers, done, strict=True)}


def _entropy_bytes(found: Mapping[str, Quantized]) -> float:
    return sum(q.bits + _CENTROID_BITS * len(q.centroids) for q in found.values()) / 8


def _keep(
    model: nn.Module, layer: _Layer, bits: int, found: Mapping[str, Quantized]
) -> SharedLayer:
    weight, own = layer.weight, found[layer.weight.name]
    shared = Shared(
        torch.from_numpy(own.codes).view(weight.parameter.shape).to(weight.parameter.device),
        torch.from_numpy(own.centroids).to(weight.parameter.device),
    )
    return keep(model, weight, bits, shared)

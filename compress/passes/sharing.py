"""A network whose weights share values: what was found for it, with each step that helps.

Codes that each number chose alone are chosen anew, so that a layer's errors cancel on its inputs;
then biases move so that channels keep their means (`steps`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compress.kernels.distinct import distinct
from compress.kernels.rate import Quantized
from compress.passes.context import Context, Layer, Passed
from compress.passes.inputs import Factor, compensated, input_factors
from compress.passes.network import Codes, Network, Skipped, Values, Weight, named_errors
from compress.passes.steps import Steps, steps_on
from compress.threads import n_cores, side_by_side

ALONE = "errors do not cancel"

Found = Mapping[str, Quantized]  # by weight


@dataclass(frozen=True, slots=True)
class SharedLayer:
    """A weight and what is known of it before its values are shared."""

    weight: Weight
    values: Values  #: shape `(n,)`
    importance: Values | None  #: of each number's squared error, shape `(n,)`; None for 1
    factors: Sequence[Factor]  #: of its inputs, none where they are not known


@dataclass(slots=True)
class Sharing:
    """A network that is made what was found, as often as a search asks."""

    network: Network
    layers: Sequence[SharedLayer]
    steps: Steps | None
    no_steps: Sequence[str] = ()  #: why there are none
    cancels: bool | None = None  #: whether errors are made to cancel; None where nothing says yet

    def __post_init__(self) -> None:
        if self.steps is None or not any(layer.factors for layer in self.layers):
            self.cancels = False

    def write(self, alone: Found, together: Callable[[], Found]) -> None:
        """Give the weights their codes; biases are what they were.

        The first time tells whether errors that cancel help; later ones go by that.

        Args:
            alone: codes that each number chose alone.
            together: finds those that cancel.
        """
        if self.steps is not None:
            self.steps.reset()
        if self.cancels is None:
            assert self.steps is not None
            self._write(alone)
            self.cancels = self.steps.helps(
                "letting errors cancel", lambda: self._write(together())
            )
            if not self.cancels:
                self._write(alone)
        else:
            self._write(together() if self.cancels else alone)

    def correct(self) -> None:
        """Move biases, where that helps."""
        if self.steps is not None:
            self.steps.correct()

    def passed(self, skipped: Sequence[Skipped], bits: Mapping[str, int]) -> Passed:
        """Return what became of the weights.

        Args:
            skipped: what is left alone.
            bits: of a code, by weight.
        """
        left_out = self.steps.left_out.values() if self.steps is not None else ()
        return Passed(
            layers=tuple(self._layer(layer, bits[layer.weight.name]) for layer in self.layers),
            skipped=tuple(skipped),
            notes=(*self.no_steps, *self.network.notes, *left_out),
        )

    def _write(self, found: Found) -> None:
        for layer in self.layers:
            own = found[layer.weight.name]
            smallest = np.min_scalar_type(-max(len(own.centroids), 2))
            layer.weight.set_codes(Codes(own.codes.astype(smallest), own.centroids))

    def _layer(self, layer: SharedLayer, bits: int) -> Layer:
        weight, values = layer.weight, layer.weight.values()
        items = distinct(values.view(np.uint32))
        return Layer(
            name=weight.name,
            kind=weight.kind,
            shape=weight.shape,
            weights=len(values),
            nonzero=int(np.count_nonzero(values)),
            distinct=None if items is None else int(np.count_nonzero(items)),
            bits=bits,
            note=ALONE if self.cancels and not layer.factors else None,
        )


def sharing(
    network: Network,
    weights: Sequence[Weight],
    context: Context,
    wanted: int,
    *,
    importance: Mapping[str, Values] | None = None,
    judges: int = 0,
) -> Sharing:
    """Prepare the sharing of weights, while the network is as it was.

    Args:
        network: before sharing.
        weights: of the network.
        context: of the pass.
        wanted: samples that steps use; 0 for no steps.
        importance: of each number's squared error, by weight.
        judges: samples to hold apart beside every fifth.
    """
    steps, why_not = steps_on(network, context, wanted, judges)
    factors: Mapping[str, Sequence[Factor]] = {}
    if steps is not None:
        context.note("looks at what its layers are given")
        factors = input_factors(network, weights, steps.seen)
    layers = [
        SharedLayer(
            weight,
            weight.values().copy(),
            importance.get(weight.name) if importance else None,
            factors.get(weight.name, ()),
        )
        for weight in weights
    ]
    return Sharing(network, layers, steps, why_not)


def each(layers: Sequence[SharedLayer], one: Callable[[SharedLayer], Quantized]) -> Found:
    """Quantize layers side by side."""

    def named(layer: SharedLayer) -> Quantized:
        with named_errors(layer.weight):
            return one(layer)

    done = side_by_side(named, layers, n_cores())
    return {layer.weight.name: own for layer, own in zip(layers, done, strict=True)}


def cancelling(layers: Sequence[SharedLayer], alone: Found) -> Found:
    """Let the errors of a layer cancel on its inputs, where these are known."""

    def one(layer: SharedLayer) -> Quantized:
        own = alone[layer.weight.name]
        if not layer.factors:
            return own
        return compensated(layer.weight, layer.values, layer.importance, own, layer.factors)

    return each(layers, one)

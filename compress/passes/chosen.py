"""The weights that a pass is asked to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from compress.errors import UnsupportedLayerError
from compress.passes.network import Network, Skipped, Weight
from compress.passes.patterns import misfit
from compress.passes.targets import Pattern, Sparsity, Targets

BIAS = "a bias"  # what tells least of why a network has no weights

T = TypeVar("T", bound=Sparsity)


def all_of(network: Network) -> tuple[list[Weight], list[Skipped]]:
    """Return a network's weights, and why each other parameter is none.

    Raises:
        UnsupportedLayerError: when there are none.
    """
    weights, skipped = network.weights()
    if not weights:
        raise UnsupportedLayerError(
            f"the model has no weight that can be compressed; {_why(skipped)}"
        )
    return list(weights), list(skipped)


def addressed(
    network: Network, targets: Targets[T]
) -> tuple[list[tuple[Weight, T, bool]], list[Skipped]]:
    """Return the weights that targets address, each with its value, and why others are left alone.

    The value comes with whether it is the plain one.

    Raises:
        SettingsError: when an entry matches no weight.
        UnsupportedLayerError: when there are none, or their patterns fit none.
    """
    weights, skipped = all_of(network)
    values = targets.resolve(weights)
    skipped += [Skipped(w.name, "no target matches") for w in weights if w.name not in values]
    found: list[tuple[Weight, T, bool]] = []
    unfit: list[Skipped] = []
    for weight in weights:
        if weight.name in values:
            value, is_plain = values[weight.name]
            reason = misfit(weight, value) if isinstance(value, Pattern) else None
            if reason is None:
                found.append((weight, value, is_plain))
            else:
                unfit.append(Skipped(weight.name, reason))
    if not found:
        raise UnsupportedLayerError(f"the model has no weight for {targets}; {_why(unfit)}")
    return found, [*skipped, *unfit]


def _why(skipped: Sequence[Skipped]) -> str:
    telling = [one for one in skipped if one.reason != BIAS] or skipped
    if not telling:
        return "it has no parameters"
    return f"{telling[0].name} is left alone: {telling[0].reason}"

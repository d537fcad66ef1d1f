"""The weights that a pass is asked to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from compress.errors import UnsupportedLayerError
from compress.passes.network import Network, Skipped, Weight
from compress.passes.targets import Targets

BIAS = "a bias"  # what tells least of why a network has no weights

T = TypeVar("T", float, int)


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
        UnsupportedLayerError: when there are none.
    """
    weights, skipped = all_of(network)
    values = targets.resolve(weights)
    found: list[tuple[Weight, T, bool]] = []
    for weight in weights:
        if weight.name in values:
            value, is_plain = values[weight.name]
            found.append((weight, value, is_plain))
        else:
            skipped.append(Skipped(weight.name, "no target matches"))
    return found, skipped


def _why(skipped: Sequence[Skipped]) -> str:
    telling = [one for one in skipped if one.reason != BIAS] or skipped
    if not telling:
        return "it has no parameters"
    return f"{telling[0].name} is left alone: {telling[0].reason}"

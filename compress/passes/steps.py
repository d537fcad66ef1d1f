"""Steps on samples without labels, each of which is kept only where it helps.

A step may learn its samples by heart, or be wrong about a network. So it is judged on samples held
apart, and left out where it does not bring the outputs nearer to what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compress.passes.apart import Apart, held_apart, in_all, least
from compress.passes.context import Context
from compress.passes.network import Levels, Network, Samples, Values
from compress.passes.samples import count, rows

_NOISE = 1e-9  # of a divergence: below, it is rounding
_FEW = 64  # samples: a shift is taken before and after on the same, so that noise is small


@dataclass(slots=True)
class Steps:
    """What steps need, and which of them did not help."""

    network: Network
    seen: Samples  #: that they may use
    apart: Apart  #: what they are judged on
    left_out: dict[str, str] = field(default_factory=dict)  #: and why, by step
    _few: Samples = field(init=False)  #: those of the seen that biases are moved on
    _levels: Levels = field(init=False)  #: on these
    _vectors: Mapping[str, Values] = field(init=False)  #: biases and what else may move

    def __post_init__(self) -> None:
        self._few = rows(self.seen, slice(_FEW))
        self._levels = self.network.levels(self._few)
        self._vectors = self.network.vectors()

    def helps(self, step: str, act: Callable[[], object]) -> bool:
        """Take a step; return whether it brings the outputs nearer.

        Args:
            step: what it is, as a note says it.
            act: does it.
        """
        before = self.apart.divergence(self.network)
        act()
        after = self.apart.divergence(self.network)
        self.left_out.pop(step, None)
        is_worse = after > max(before, _NOISE)
        if is_worse or not (np.isfinite(before) and np.isfinite(after)):
            self.left_out[step] = (
                f"{step} is left out: on {count(self.apart.samples)} samples held apart the "
                f"divergence would go from {before:.3g} to {after:.3g}"
            )
        return step not in self.left_out

    def correct(self) -> None:
        """Move biases so that channels keep their means, where that helps."""
        if not self.helps("moving biases", lambda: self.network.correct(self._few, self._levels)):
            self.reset()

    def reset(self) -> None:
        """Give biases back what they were."""
        self.network.set_vectors(self._vectors)


def steps_on(
    network: Network, context: Context, wanted: int, judges: int = 0
) -> tuple[Steps | None, Sequence[str]]:
    """Prepare steps, while the network is as it was; or return why there are none.

    Args:
        network: before compression.
        context: of the pass.
        wanted: samples that steps use; 0 for no steps.
        judges: samples to hold apart beside every fifth.
    """
    if context.samples is None or not wanted:
        return None, ()
    samples = context.samples(in_all(wanted) + judges)
    if not count(samples):
        return None, ()
    divided = held_apart(network, samples, used=wanted, scores=context.scores)
    if divided is None:
        return None, (
            f"{count(samples)} samples are too few to correct errors on and to judge that: "
            f"nothing is corrected with fewer than {least()}",
        )
    return Steps(network, *divided), ()

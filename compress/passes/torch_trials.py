"""What becomes of a torch module without some channels: tried on copies, so that it stays whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from compress.errors import CompressError, UnsupportedLayerError
from compress.measure.parity import difference
from compress.passes.torch_surgery import Cut, cut, ignore

_SAME = 1e-3  # of the largest output: a wrong channel makes more, rounding less


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run shows."""

    shapes: tuple[tuple[int, ...], ...]  #: of the outputs
    macs: int  #: of all samples


class Trials:
    """Runs of copies of a network, without numbers where it does not look at them."""

    def __init__(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Take a network and what it is run on.

        Raises:
            UnsupportedLayerError: when no copy of it runs.
        """
        self.model, self._inputs = model, inputs
        self._device = torch.device("meta")
        with in_one_line("a copy of the network does not run"):
            try:
                self.twin = _without_numbers(model)
                self.dense = self._seen(self.twin)
            except Exception:  # noqa: BLE001  (the network's code raises what it likes)
                self._device = inputs[0].device
                self.twin = copy.deepcopy(model).requires_grad_(True)
                self.dense = self._seen(self.twin)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the twin takes."""
        return tuple(given.to(self._device) for given in self._inputs)

    def mode(self) -> AbstractContextManager[object]:
        """Return where the twin makes tensors of its own."""
        return self._device if self._device.type == "meta" else nullcontext()

    def macs_without(self, cuts: Sequence[Cut]) -> int:
        """Return the MACs without some channels, of all samples.

        Raises:
            UnsupportedLayerError: when the network does not run, or gives outputs of other shapes.
        """
        twin = copy.deepcopy(self.twin)
        with in_one_line("the network does not run without them"):
            cut(twin, cuts)
            seen = self._seen(twin)
        if seen.shapes != self.dense.shapes:
            raise UnsupportedLayerError("no channels can be taken out: outputs change their shapes")
        return seen.macs

    def keeps_shapes(self, cuts: Sequence[Cut]) -> bool:
        """Tell whether the network runs without them, and gives outputs of the same shapes."""
        try:
            self.macs_without(cuts)
        except UnsupportedLayerError:
            return False
        return True

    def keeps_meaning(self, cuts: Sequence[Cut]) -> bool:
        """Tell whether it gives what it does where the layers behind read zero in their place."""
        without, ignored = self._outputs(cut, cuts), self._outputs(ignore, cuts)
        apart = (difference(*pair).max_rel for pair in zip(without, ignored, strict=True))
        return max(apart, default=0.0) <= _SAME

    @torch.no_grad()
    def _outputs(self, act: Any, cuts: Sequence[Cut]) -> list[NDArray[Any]]:  # noqa: ANN401
        twin = copy.deepcopy(self.model).eval()
        with in_one_line("a copy of the network does not run"):
            act(twin, cuts)
            leaves = tree_leaves(twin(*self._inputs))
        return [leaf.cpu().numpy() for leaf in leaves if isinstance(leaf, Tensor)]

    def _seen(self, twin: nn.Module) -> Seen:
        with self.mode(), FlopCounterMode(display=False) as counter:
            leaves = tree_leaves(twin.eval()(*self.inputs))
        shapes = tuple(tuple(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor))
        return Seen(shapes, counter.get_total_flops() // 2)


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """Put what a network's or a library's code raises in one line."""
    try:
        yield
    except CompressError:
        raise
    except Exception as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnsupportedLayerError(f"no channels can be taken out: {what}: {told}") from error


def _without_numbers(model: nn.Module) -> nn.Module:
    """Copy a network, its parameters and buffers without numbers."""
    memo: dict[int, Any] = {}
    for held in (*model.parameters(), *model.buffers()):
        empty = torch.empty_like(held, device="meta", requires_grad=False)
        is_parameter = isinstance(held, nn.Parameter)
        memo[id(held)] = nn.Parameter(empty, held.is_floating_point()) if is_parameter else empty
    return copy.deepcopy(model, memo)

"""A torch module as the passes see a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.constrained import constraints_of
from compress.passes.importance import fisher_diagonal
from compress.passes.network import Moments, Samples, Skipped, Values, Weight
from compress.passes.samples import batches
from compress.passes.torch_levels import Levels, channel_levels, correct_biases
from compress.passes.torch_moments import outer_products
from compress.passes.weights import TorchWeight, weights_of
from compress.training.data import floats_of, on_device

_BATCH = 16  # samples
_OF_LEVELS = 64  # samples that are seen before a bias is moved
_OF_GRADIENTS = 4  # samples to a gradient

Array = NDArray[Any]


class TorchNetwork:
    """A network that is a torch module."""

    def __init__(self, model: nn.Module, device: torch.device | str = "cpu") -> None:
        """Take a module that is on `device` already."""
        self.model, self.device = model, torch.device(device)
        self.notes: tuple[str, ...] = ()  #: what could not be done: all can

    def weights(self) -> tuple[list[TorchWeight], list[Skipped]]:
        """List the weights that can be compressed, and why each other parameter is none.

        What they must keep they keep, exactly, from then on.
        """
        constraints_of(self.model).apply(self.model)
        return weights_of(self.model)

    @torch.no_grad()
    def outputs(self, samples: Samples) -> list[Array]:
        """Return each floating output for all samples, in evaluation mode."""
        found: list[list[Array]] = []
        for batch in self._batches(samples, _BATCH):
            floats = floats_of(self.model.eval()(*batch))
            found.append([np.atleast_1d(_numpy(leaf)) for leaf in floats])
        return [_joined(parts) for parts in zip(*found, strict=True)]

    def moments(self, weights: Sequence[Weight], samples: Samples) -> Mapping[str, Moments]:
        """Return, by weight, what its layer is given on samples."""
        return outer_products(self.model, self._own(weights), self._batches(samples, _BATCH))

    def levels(self, samples: Samples) -> Sequence[Levels]:
        """Return what biases decide of each channel on samples."""
        return channel_levels(self.model, self._batches(samples, _OF_LEVELS))

    def correct(self, samples: Samples, levels: Sequence[Levels]) -> int:
        """Move biases so that channels have earlier levels again; return how many layers moved."""
        return correct_biases(self.model, self._batches(samples, _OF_LEVELS), levels)

    def vectors(self) -> dict[str, Array]:
        """Copy biases and what else `correct` may move."""
        held = self.model.state_dict()
        return {name: _numpy(vector).copy() for name, vector in held.items() if vector.ndim == 1}

    def set_vectors(self, vectors: Mapping[str, Array]) -> None:
        """Put what `vectors` returned back."""
        held = {name: torch.from_numpy(vector) for name, vector in vectors.items()}
        self.model.load_state_dict(held, strict=False)

    def fisher(
        self, weights: Sequence[Weight], samples: Samples, seed: int
    ) -> Mapping[str, Values]:
        """Return the diagonal of the Fisher information by weight, shape `(n,)`."""
        given = self._batches(samples, _OF_GRADIENTS)
        found = fisher_diagonal(self.model, self._own(weights), given, seed=seed)
        return {name: _numpy(held.float()).reshape(-1) for name, held in found.items()}

    def inputs(self, samples: Samples) -> tuple[Tensor, ...]:
        """Return samples as the module takes them."""
        dtypes = (held.dtype for held in self.model.parameters() if held.is_floating_point())
        dtype = next(dtypes, torch.float32)
        tensors = (on_device(torch.from_numpy(given), self.device) for given in samples)
        return tuple(held.to(dtype) if held.is_floating_point() else held for held in tensors)

    def _own(self, weights: Sequence[Weight]) -> list[TorchWeight]:
        wanted = {weight.name for weight in weights}
        return [weight for weight in weights_of(self.model)[0] if weight.name in wanted]

    def _batches(self, samples: Samples, size: int) -> Iterator[tuple[Tensor, ...]]:
        yield from map(self.inputs, batches(samples, size))


def _numpy(held: Tensor) -> Array:
    own = held.detach().cpu()
    return (own.float() if own.dtype == torch.bfloat16 else own).numpy()


def _joined(parts: Sequence[Array]) -> Array:
    """Return what batches gave as one; in a row, where rows are no samples."""
    if len({part.shape[1:] for part in parts}) > 1:
        return np.concatenate([part.reshape(-1) for part in parts])
    return np.concatenate(parts)

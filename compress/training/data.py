"""From samples to batches of inputs and targets on a device.

Where the whole part fits in memory it is made ready once; else each batch is by worker processes.
Both give the same numbers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

from compress import limits
from compress.errors import DataError
from compress.tasks import Samples
from compress.tasks.task import Values as Arrays

Order = NDArray[np.int64]
Values = Tensor | tuple[Tensor, ...]
Batch = tuple[Values, Values]

_MEMORY_BYTES = 512 << 20  # for the samples of a part, made ready
_MAX_WORKERS = 4


def generator(*words: int) -> torch.Generator:
    """Return a generator on the CPU, seeded by some numbers that are at least 0."""
    seed = np.random.SeedSequence(words).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed) >> 1)  # seeds are signed


def permutation(count: int, *words: int) -> Order:
    """Return the numbers below `count` in the random order that a seed gives."""
    order: Order = torch.randperm(count, generator=generator(*words)).numpy()
    return order


def shares(count: int, batch: int, processes: int) -> list[list[slice]]:
    """Divide `count` places into batches, and each batch among processes.

    No sample is left out: batches, and the processes' parts of one, differ by one sample at most.

    >>> shares(7, 4, 2)
    [[slice(0, 1, None), slice(1, 3, None)], [slice(3, 5, None), slice(5, 7, None)]]
    """
    steps = max(1, -(-count // batch))
    bounds = [count * step // steps for step in range(steps + 1)]
    return [
        [
            slice(low + (high - low) * p // processes, low + (high - low) * (p + 1) // processes)
            for p in range(processes)
        ]
        for low, high in pairwise(bounds)
    ]


def answer(model: nn.Module, inputs: Values) -> Any:  # noqa: ANN401  (the network's own)
    """Return what a network gives for a batch; a tuple is its arguments."""
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def floats_of(outputs: Any) -> list[Tensor]:  # noqa: ANN401  (the network's own)
    """Return the floating tensors of what a network gives, in their order."""
    leaves = tree_leaves(outputs)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point()]


class Batches:
    """Samples as batches of inputs and targets: a tensor each, or a tuple of tensors."""

    def __init__(
        self,
        samples: Samples,
        *,
        memory_bytes: int = _MEMORY_BYTES,
        workers: int | None = None,
    ) -> None:
        """Hold the samples in memory where they fit.

        Args:
            samples: at least one.
            memory_bytes: limit for all of them.
            workers: processes that decode where it does not fit; by default one a core, at most 4.
        """
        if not len(samples):
            raise DataError("samples must be at least one, got 0: the part of the data is empty")
        held = samples.in_memory(memory_bytes)
        self.samples = samples if held is None else held
        self._is_held = held is not None
        self._workers = min(_MAX_WORKERS, limits.cores()) if workers is None else workers

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def iterate(self, batches: Sequence[Order], device: torch.device) -> Iterator[Batch]:
        """Yield the batches that some arrays of indices ask for, on a device, in their order."""
        for inputs, targets in self._stream(batches):
            yield _placed(inputs, device), _placed(targets, device)

    def made(self, indices: Order) -> Batch:
        """Return some samples as tensors."""
        inputs, targets = self.samples.batch(indices)
        return _tensors(inputs), _tensors(targets)

    def _stream(self, batches: Sequence[Order]) -> Iterator[Batch]:
        if self._is_held or not self._workers:
            yield from map(self.made, batches)
            return
        loader = DataLoader(
            _Decoded(self),
            batch_sampler=[indices.tolist() for indices in batches],
            num_workers=self._workers,
            collate_fn=_same,  # `__getitems__` has made the batch already
            worker_init_fn=_uninterrupted,
            generator=generator(0),  # else it would draw from torch's global one
        )
        for made in loader:
            if isinstance(made, Exception):
                raise made
            yield made


class _Decoded(Dataset[Batch]):
    """What a worker of the loader sees: a batch at once."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitems__(self, indices: list[int]) -> Batch | Exception:
        """Return a batch, or the error for the main process to raise as it is.

        An error that is raised here would arrive with the worker's traceback as its text.
        """
        try:
            return self._batches.made(np.asarray(indices, np.int64))
        except Exception as error:  # noqa: BLE001 (it is raised again in `_stream`)
            return error


def _tensors(values: Arrays) -> Values:
    if isinstance(values, tuple):
        return tuple(map(_tensor, values))
    return _tensor(values)


def _tensor(array: NDArray[Any]) -> Tensor:
    whole = np.ascontiguousarray(array)
    return torch.from_numpy(whole if whole.flags.writeable else whole.copy())


def _placed(values: Values, device: torch.device) -> Values:
    if isinstance(values, tuple):
        return tuple(on_device(tensor, device) for tensor in values)
    return on_device(values, device)


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Put a batch on a device, in the order in memory that is fast there."""
    if tensor.ndim == 4 and tensor.is_floating_point():
        # oneDNN's convolutions on a CPU are about twice as fast with channels last
        return tensor.to(device, memory_format=torch.channels_last)
    return tensor.to(device)


def _uninterrupted(_worker: int) -> None:
    """Leave Ctrl-C to the main process, which ends its workers without their tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _same(batch: Any) -> Any:  # noqa: ANN401 (the loader takes it for a list)
    return batch

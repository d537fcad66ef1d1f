"""From samples to batches of inputs and labels.

Where the whole part fits in memory it is decoded once; else each batch is decoded by worker
processes. Both give the same numbers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress import limits
from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.training.task import Samples

Order = NDArray[np.int64]
Batch = tuple[Tensor, Tensor]

_MEMORY_BYTES = 512 << 20  # for pixels, and again for inputs
_MAX_WORKERS = 4
_CHUNK = 1024  # samples decoded at a time when all are decoded once


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


class Batches:
    """Samples as batches of inputs `(n, channels, height, width)` and labels `(n,)`."""

    def __init__(
        self,
        samples: Samples,
        preprocessing: Preprocessing,
        *,
        memory_bytes: int = _MEMORY_BYTES,
        workers: int | None = None,
    ) -> None:
        """Decode the samples where they fit in memory.

        Args:
            samples: at least one.
            preprocessing: what the network expects.
            memory_bytes: limit for all pixels, and for all inputs beside them.
            workers: processes that decode where it does not fit; by default one a core, at most 4.
        """
        if not len(samples):
            raise DataError("samples must be at least one, got 0: the part of the data is empty")
        self.count = len(samples)
        self._samples, self._preprocessing = samples, preprocessing
        self._labels = torch.from_numpy(np.ascontiguousarray(samples.labels, np.int64))
        self._workers = min(_MAX_WORKERS, limits.cores()) if workers is None else workers
        channels = 1 if preprocessing.mode == "L" else 3
        self.values_per_sample = channels * preprocessing.crop[0] * preprocessing.crop[1]
        pixel_bytes = self.count * self.values_per_sample
        self._pixels: NDArray[np.uint8] | None = None
        self._inputs: Tensor | None = None
        if 4 * pixel_bytes <= memory_bytes:
            self._inputs = torch.empty(self.count, channels, *preprocessing.crop)
            for part, pixels in self._all():
                self._inputs[part] = torch.from_numpy(preprocessing.values(pixels))
        elif pixel_bytes <= memory_bytes:
            self._pixels = np.empty((self.count, *preprocessing.crop, channels), np.uint8)
            for part, pixels in self._all():
                self._pixels[part] = pixels

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.count

    def inputs(self, indices: Order) -> Tensor:
        """Return the network's inputs for some samples."""
        if self._inputs is not None:
            return self._inputs[torch.from_numpy(indices)]
        if self._pixels is not None:
            return torch.from_numpy(self._preprocessing.values(self._pixels[indices]))
        return torch.from_numpy(self._preprocessing(self._samples.images(indices)))

    def iterate(self, batches: Sequence[Order], device: torch.device) -> Iterator[Batch]:
        """Yield the batches that some arrays of indices ask for, on a device, in their order."""
        for indices, inputs in zip(batches, self._stream(batches), strict=True):
            labels = self._labels[torch.from_numpy(indices)]
            # oneDNN's convolutions on a CPU are about twice as fast with channels last
            placed = inputs.to(device, memory_format=torch.channels_last)
            yield placed, labels.to(device)

    def _stream(self, batches: Sequence[Order]) -> Iterator[Tensor]:
        if self._inputs is not None or self._pixels is not None or not self._workers:
            yield from map(self.inputs, batches)
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

    def _all(self) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        for start in range(0, self.count, _CHUNK):
            part = slice(start, min(start + _CHUNK, self.count))
            indices = np.arange(part.start, part.stop)
            yield part, self._preprocessing.pixels(self._samples.images(indices))


class _Decoded(Dataset[Tensor]):
    """What a worker of the loader sees: a batch at once."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitems__(self, indices: list[int]) -> Tensor | Exception:
        """Return a batch, or the error for the main process to raise as it is.

        An error that is raised here would arrive with the worker's traceback as its text.
        """
        try:
            return self._batches.inputs(np.asarray(indices, np.int64))
        except Exception as error:  # noqa: BLE001 (it is raised again in `_stream`)
            return error


def _uninterrupted(_worker: int) -> None:
    """Leave Ctrl-C to the main process, which ends its workers without their tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _same(batch: Any) -> Any:  # noqa: ANN401 (the loader takes it for a list)
    return batch

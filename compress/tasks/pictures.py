"""Pictures with a class each, as they lie in memory or in files; raw, before preprocessing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compress.errors import DataError
from compress.pictures import open_image
from compress.tasks.content import digest_of
from compress.tasks.task import Indices

_BLOCK = 1 << 20  # bytes of a file at a time


class Pictures(Protocol):
    """Pictures, and the class of each."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each picture, shape `(n,)`."""

    def __len__(self) -> int:
        """Return the number of pictures."""

    def digest(self, indices: Indices | None = None) -> str:
        """Digest the content of pictures and their classes, in their order; by default of all."""

    def images(self, indices: Indices) -> Sequence[NDArray[Any] | Image.Image]:
        """Return some pictures, in the forms that `compress.pictures` knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Pictures in memory."""

    pixels: NDArray[Any]  #: shape `(n, height, width)` or `(n, height, width, channels)`
    labels: NDArray[np.int64]  #: shape `(n,)`

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.labels)

    def digest(self, indices: Indices | None = None) -> str:
        """Digest pixels and labels, by default of all."""
        chosen = slice(None) if indices is None else np.asarray(indices, np.int64)
        return digest_of((self.pixels[chosen], self.labels[chosen]))

    def images(self, indices: Indices) -> list[NDArray[Any] | Image.Image]:
        """Return some pictures, each of shape `(height, width)` or `(height, width, channels)`."""
        return list(self.pixels[np.asarray(indices, np.int64)])

    def take(self, chosen: NDArray[np.bool_]) -> Arrays:
        """Return the pictures that a mask of shape `(n,)` chooses."""
        return Arrays(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Pictures in files, decoded when they are asked for."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]  #: shape `(n,)`

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def digest(self, indices: Indices | None = None) -> str:
        """Digest files' bytes and classes, of all by default; neither their places nor times.

        All is read, once for the life of the pictures: an epoch of training reads it, too.
        """
        if indices is None:
            return _digest_of_all(self)
        return digest_of_files((self.paths[index], int(self.labels[index])) for index in indices)

    def images(self, indices: Indices) -> list[NDArray[Any] | Image.Image]:
        """Decode some pictures; raise `DataError` for a file that is none."""
        return [open_image(self.paths[index]) for index in indices]

    def take(self, chosen: NDArray[np.bool_]) -> Files:
        """Return the pictures that a mask of shape `(n,)` chooses."""
        return Files(tuple(compress(self.paths, chosen)), self.labels[chosen])


@lru_cache(maxsize=8)
def _digest_of_all(pictures: Files) -> str:
    return digest_of_files(zip(pictures.paths, pictures.labels.tolist(), strict=True))


def digest_of_files(items: Iterable[tuple[Path, int]]) -> str:
    """Digest the bytes of files, each with its label."""
    digest = hashlib.sha256()
    for path, label in items:
        try:
            with path.open("rb", buffering=0) as stream:
                content = hashlib.sha256()
                while block := stream.read(_BLOCK):
                    content.update(block)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        digest.update(b"%d:" % label + content.digest())
    return digest.hexdigest()

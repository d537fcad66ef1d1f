"""Samples without labels, as people have them: pictures, arrays or sentences.

A folder holds pictures at any depth. A .npy holds the one input, a .npz an array for each input by
its name; rows are samples. A .txt holds a sentence a line. It needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.pictures import open_image
from compress.preprocess import Preprocessing
from compress.tasks import folders
from compress.tasks.content import digest_of
from compress.tasks.encoding import Encoder
from compress.tasks.images import ImageTask, image_shape
from compress.tasks.pictures import digest_of_files
from compress.tasks.stored import read_npy, read_npz
from compress.tasks.task import Indices, Input, Takes, Task

_LOG = logging.getLogger(__name__)
_FORMS = "a folder of images, or a .npy, .npz or .txt file"


class Calibration(Protocol):
    """Samples that a network is run on."""

    def __len__(self) -> int:
        """Return the number of samples, at least one."""

    def inputs(self, indices: Indices) -> tuple[NDArray[Any], ...]:
        """Return an array for each input of the network, a row a sample."""

    def digest(self, indices: Indices) -> str:
        """Digest what some samples give the network, in their order."""


def load(place: Path, takes: Takes, task: Task | None) -> Calibration:
    """Find the samples at a place.

    Args:
        place: a folder or a file.
        takes: what the network takes; images become inputs by its preprocessing, sentences by its
            tokenizer.
        task: whose preprocessing counts where the network tells none.

    Raises:
        DataError: when there are no samples, or the network cannot take them.
    """
    if place.is_dir():
        return _pictures(place, takes, task)
    if not place.exists():
        raise DataError(f"calibration must be {_FORMS}, got {place}, which is not there")
    match place.suffix.lower():
        case ".npy":
            if len(takes.inputs) != 1:
                names = ", ".join(given.name for given in takes.inputs)
                raise DataError(
                    f"{place} holds one array, and {takes.name} takes {len(takes.inputs)} inputs: "
                    f"give a .npz with {names}"
                )
            return _arrays(place, {takes.inputs[0].name: read_npy(place)}, takes)
        case ".npz":
            return _arrays(place, read_npz(place), takes)
        case ".txt":
            return _sentences(place, takes)
        case _:
            raise DataError(f"calibration must be {_FORMS}, got {place}")


def of_arrays(arrays: Sequence[NDArray[Any]], takes: Takes) -> Calibration:
    """Return samples that are held in memory.

    Args:
        arrays: one for each input of the network, in their order, a row for each sample.
        takes: what the network takes.

    Raises:
        DataError: when the network cannot take them.
    """
    names = [given.name for given in takes.inputs]
    if len(arrays) != len(names):
        raise DataError(
            f"calibration must be an array for each input of {takes.name} ({', '.join(names)}), "
            f"got {len(arrays)}"
        )
    held = dict(zip(names, map(np.asarray, arrays), strict=True))
    return _arrays(Path("calibration"), held, takes)


@dataclass(frozen=True, slots=True, eq=False)
class _Pictures:
    paths: tuple[Path, ...]
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.paths)

    def inputs(self, indices: Indices) -> tuple[NDArray[Any], ...]:
        return (self.preprocessing([open_image(self.paths[index]) for index in indices]),)

    def digest(self, indices: Indices) -> str:
        files = digest_of_files((self.paths[index], 0) for index in indices)
        return _digest_of([self.preprocessing.to_json(), files])


def _pictures(folder: Path, takes: Takes, task: Task | None) -> _Pictures:
    """Find pictures, and how the network wants them."""
    if takes.preprocessing is not None:
        made = Preprocessing.from_json(takes.preprocessing)
    elif isinstance(task, ImageTask):
        suited = task.suited(takes).preprocessing
        assert suited is not None
        made = suited
    else:
        raise DataError(
            f"how an image becomes an input of {takes.name} is not known: give --task with a task "
            "of images, or the inputs themselves in a .npy file"
        )
    shape = image_shape("calibration", takes)
    given = (1 if made.mode == "L" else 3, *made.crop)
    if any(size and size != own for size, own in zip(shape, given, strict=True)):
        raise DataError(f"images become inputs of shape {given}, and {takes.name} takes {shape}")
    found, unread = folders.pictures(folder)
    if unread:
        _LOG.warning(
            "%s: files that Pillow cannot read are left out: %s%s",
            folder, unread[0].name, f" and {len(unread) - 1} more" if len(unread) > 1 else "",
        )  # fmt: skip
    if not found:
        raise DataError(f"{folder} holds no images")
    return _Pictures(tuple(found), made)


@dataclass(frozen=True, slots=True, eq=False)
class _Arrays:
    place: Path
    arrays: tuple[NDArray[Any], ...]
    taken: tuple[Input, ...]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def inputs(self, indices: Indices) -> tuple[NDArray[Any], ...]:
        chosen = np.asarray(indices, np.int64)
        return tuple(
            _checked(self.place, array[chosen], taken)
            for array, taken in zip(self.arrays, self.taken, strict=True)
        )

    def digest(self, indices: Indices) -> str:
        return digest_of(self.inputs(indices))


def _arrays(place: Path, arrays: Mapping[str, NDArray[Any]], takes: Takes) -> _Arrays:
    """Check arrays by the names of a network's inputs."""
    names = [given.name for given in takes.inputs]
    if {*arrays} != {*names}:
        raise DataError(
            f"{place} must hold an array for each input of {takes.name} ({', '.join(names)}), "
            f"got {', '.join(arrays) or 'none'}"
        )
    for given in takes.inputs:
        shape, wanted = arrays[given.name].shape, tuple(given.shape)
        fits = len(shape) == len(wanted) + 1 and all(
            not size or size == own for size, own in zip(wanted, shape[1:], strict=True)
        )
        if not fits or 0 in shape:
            raise DataError(
                f"{place} must hold {given.name} of shape (samples, "
                f"{', '.join(str(size) if size else 'any' for size in wanted)}), got {shape}"
            )
    counts = {len(array) for array in arrays.values()}
    if len(counts) != 1:
        raise DataError(f"{place} must hold as many rows for each input, got {sorted(counts)}")
    return _Arrays(place, tuple(arrays[name] for name in names), tuple(takes.inputs))


def _checked(place: Path, array: NDArray[Any], taken: Input) -> NDArray[Any]:
    """Return rows in the type that an input has; raise `DataError` where values do not fit it."""
    if taken.below is None:
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise DataError(f"{place} must hold finite numbers for {taken.name}")
        return array.astype(np.float32)
    if array.dtype.kind not in "iub" or array.min() < 0 or array.max() >= taken.below:
        raise DataError(f"{place} must hold integers in [0, {taken.below}) for {taken.name}")
    return array.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Sentences:
    texts: tuple[str, ...]
    encoder: Encoder

    def __len__(self) -> int:
        return len(self.texts)

    def inputs(self, indices: Indices) -> tuple[NDArray[Any], ...]:
        return self.encoder.inputs(self.encoder.encode([self.texts[index] for index in indices]))

    def digest(self, indices: Indices) -> str:
        return _digest_of([self.encoder.digest, *(self.texts[index] for index in indices)])


def _sentences(place: Path, takes: Takes) -> _Sentences:
    """Read lines; those that hold nothing do not count."""
    encoder = Encoder.of(takes)
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{place} must hold text in UTF-8: {error}") from error
    texts = tuple(line.strip() for line in lines if line.strip())
    if not texts:
        raise DataError(f"{place} holds no sentence")
    return _Sentences(texts, encoder)


def _digest_of(told: Any) -> str:  # noqa: ANN401  (JSON's types)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

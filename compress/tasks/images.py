"""Tasks of images with classes: pictures become inputs by a `Preprocessing`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.tasks.metrics import ACCURACY
from compress.tasks.pictures import Pictures
from compress.tasks.task import Augment, Indices, Part, Samples, Takes, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

_CHUNK = 1024  # pictures decoded at a time when all are decoded once
_FLOAT_BYTES = 4

Inputs = Callable[[NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Samples: inputs `(n, channels, height, width)` and labels `(n,)`."""

    pictures: Pictures
    preprocessing: Preprocessing

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pictures)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, shape `(n,)`."""
        return self.pictures.labels

    def digest(self, indices: Indices | None = None) -> str:
        """Digest the content of pictures and their classes; see `settings` for what is made."""
        return self.pictures.digest(indices)

    def batch(self, indices: Indices) -> tuple[NDArray[Any], NDArray[Any]]:
        """Decode some pictures."""
        chosen = np.asarray(indices, np.int64)
        return self.preprocessing(self.pictures.images(chosen)), self.labels[chosen]

    def in_memory(self, limit_bytes: int) -> Images | None:
        """Decode all: to inputs where these take at most the limit, else to pixels."""
        made, count = self.preprocessing, len(self)
        channels = 1 if made.mode == "L" else 3
        n_bytes = count * channels * made.crop[0] * made.crop[1]
        if n_bytes * _FLOAT_BYTES <= limit_bytes:
            values = np.empty((count, channels, *made.crop), np.float32)
            for part, pixels in self._all():
                values[part] = made.values(pixels)
            return _Held(self.pictures, made, lambda chosen: values[chosen])
        if n_bytes <= limit_bytes:
            whole = np.empty((count, *made.crop, channels), np.uint8)
            for part, pixels in self._all():
                whole[part] = pixels
            return _Held(self.pictures, made, lambda chosen: made.values(whole[chosen]))
        return None

    def _all(self) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        for start in range(0, len(self), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(self)))
            indices = np.arange(part.start, part.stop)
            yield part, self.preprocessing.pixels(self.pictures.images(indices))


@dataclass(frozen=True, slots=True, eq=False)
class _Held(Images):
    """Images that are decoded already."""

    inputs: Inputs

    def batch(self, indices: Indices) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return some images."""
        chosen = np.asarray(indices, np.int64)
        return self.inputs(chosen), self.labels[chosen]

    def in_memory(self, limit_bytes: int) -> Images | None:
        """Return these images."""
        return self


@dataclass(frozen=True, kw_only=True)
class ImageTask(Task):
    """Images, each of one class: what is common to all of them."""

    preprocessing: Preprocessing | None = None  #: None until a network is known

    metric = ACCURACY
    #: largest random changes of a training image at strength 1, see `augment.CHANGES`
    changes: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def pictures(self, part: Part) -> Pictures | None:
        """Return a part of the data, or None where the task has no such part."""

    @abstractmethod
    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Return how an image becomes an input `(channels, height, width)` with 1 or 3 channels."""

    def suited(self, takes: Takes) -> Self:
        """Take the preprocessing that the network tells, else the task's own."""
        shape = image_shape(self.name, takes)
        if takes.preprocessing is not None:
            return replace(self, preprocessing=Preprocessing.from_json(takes.preprocessing))
        if not all(shape):
            raise DataError(
                f"task {self.name} needs a network on images of one size, got {takes.name} "
                f"on inputs of any"
            )
        return replace(self, preprocessing=self.default_preprocessing(shape))

    def load(self, part: Part) -> Samples | None:
        """Return a part of the data; the task must be suited to a network."""
        found = self.pictures(part)
        return None if found is None else Images(found, self._known)

    def loss(
        self,
        outputs: Any,  # noqa: ANN401  (the network's own)
        targets: Any,  # noqa: ANN401
        **options: float,
    ) -> Tensor:
        """Return the cross entropy."""
        from compress.tasks.losses import cross_entropy

        return cross_entropy(outputs, targets, **options)

    def augment(self, count: int, strength: float, drawn: Generator) -> Augment | None:
        """Draw an affine map for each image."""
        from compress.tasks import augment

        maps = augment.draw(self.changes, strength, count, drawn)
        if maps is None:
            return None
        return lambda inputs, places: augment.transform(inputs, maps[places].to(inputs.device))

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return preprocessing and labels."""
        return {"preprocessing": self._known.to_json(), "labels": list(self.classes)}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides inputs and targets beside the data."""
        return {"task": self.name, **self.facts, "augmentation": dict(self.changes)}

    @property
    def _known(self) -> Preprocessing:
        if self.preprocessing is None:
            raise DataError(f"task {self.name} must be suited to a network before it has inputs")
        return self.preprocessing


def image_shape(task: str, takes: Takes) -> tuple[int, int, int]:
    """Return channels, height and width of a network's one input.

    Raises:
        DataError: when the network takes no images.
    """
    match [tuple(given.shape) for given in takes.inputs]:
        case [(0 | 1 | 3 as channels, height, width)]:
            return channels, height, width
        case shapes:
            raise DataError(
                f"task {task} needs a network on grey or RGB images, got {takes.name} "
                f"on inputs of shape {', '.join(map(str, shapes))}"
            )

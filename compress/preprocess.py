"""Preprocessing as data: one record, stored in the compressed file, applied alike everywhere.

Training, calibration, evaluation and the device run this very code, so an accuracy that was
measured on one of them holds on the others. It needs numpy and Pillow, no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import assert_never

from compress.errors import FormatError, SettingsError, require
from compress.pictures import Pixels, picture

Values = NDArray[np.float32]

_MAX_SIDE = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How an image becomes the network's input: geometry on pixels, then one affine map.

    A pixel p of channel c becomes (p * scale - mean[c]) / std[c]; the layout is NCHW.
    """

    mode: Literal["L", "RGB"]  #: Pillow's colour mode: grey or colour
    crop: tuple[int, int]  #: height and width of the network's input, in pixels
    resize: int | tuple[int, int] | None = None  #: short side, or (height, width), before the crop
    resample: Literal["bilinear", "bicubic"] = "bilinear"  #: filter of the resize
    scale: float = 1 / 255  #: factor on a pixel of 0 to 255
    mean: tuple[float, ...] = (0.0,)  #: one a channel, after the scale
    std: tuple[float, ...] = (1.0,)  #: one a channel, after the scale

    def __post_init__(self) -> None:
        channels = 1 if self.mode == "L" else 3
        for name, values in (("mean", self.mean), ("std", self.std)):
            require(len(values) in (1, channels), name, f"1 or {channels} numbers", values)
        require(all(value != 0 for value in self.std), "std", "without zeros", self.std)
        sizes = (*self.crop, *(self.resize if isinstance(self.resize, tuple) else (self.resize,)))
        for size in sizes:
            require(size is None or 1 <= size <= _MAX_SIDE, "size", f"in [1, {_MAX_SIDE}]", size)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Preprocessing:
        """Check a stored record; raise `FormatError` where it is none."""
        try:
            return msgspec.convert(data, cls)
        except (msgspec.ValidationError, SettingsError, UnicodeError) as error:
            raise FormatError(f"preprocessing: {error}") from error

    def to_json(self) -> dict[str, object]:
        """Return the record as JSON's types."""
        return asdict(self)

    def pixels(self, images: Sequence[NDArray[Any] | Image.Image]) -> Pixels:
        """Resize and crop images to one array, shape `(n, height, width, channels)`.

        In which forms they may come: see `pictures`.
        """
        channels = 1 if self.mode == "L" else 3
        out = np.empty((len(images), *self.crop, channels), np.uint8)
        for row, image in zip(out, images, strict=True):
            row[...] = self._one(image).reshape(row.shape)
        return out

    def values(self, pixels: Pixels) -> Values:
        """Map pixels `(n, height, width, channels)` to inputs `(n, channels, height, width)`."""
        factor = (self.scale / np.asarray(self.std)).astype(np.float32)
        offset = (-np.asarray(self.mean) / np.asarray(self.std)).astype(np.float32)
        inputs = pixels.astype(np.float32) * factor + offset
        return np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))

    def __call__(self, images: Sequence[NDArray[Any] | Image.Image]) -> Values:
        """Return the network's input for some images, shape `(n, channels, height, width)`."""
        return self.values(self.pixels(images))

    def _one(self, image: NDArray[Any] | Image.Image) -> Pixels:
        height, width = self.crop
        if isinstance(image, np.ndarray) and image.shape[:2] == self.crop and self._keeps(image):
            return image
        shown = picture(image, self.mode)
        size = self._resized(shown.width, shown.height)
        if size != shown.size:
            shown = shown.resize(size, _filter(self.resample))
        left, top = _margin(shown.width, width), _margin(shown.height, height)
        return np.asarray(shown.crop((left, top, left + width, top + height)))

    def _keeps(self, image: NDArray[Any]) -> bool:
        plain = self.resize is None or self.resize == self.crop
        return (
            plain
            and image.dtype == np.uint8
            and (1 if image.ndim == 2 else image.shape[-1]) == (1 if self.mode == "L" else 3)
        )

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        match self.resize:
            case None:
                return width, height
            case int(short):
                long = int(short * max(width, height) / min(width, height))
                return (short, long) if width <= height else (long, short)
            case (tall, wide):
                return wide, tall
        raise AssertionError(self.resize)


def _margin(size: int, crop: int) -> int:
    """Return where a centred crop begins, rounded as torchvision does; below 0, it is padded."""
    return round((size - crop) / 2) if size >= crop else -((crop - size) // 2)


def _filter(name: Literal["bilinear", "bicubic"]) -> Image.Resampling:
    match name:
        case "bilinear":
            return Image.Resampling.BILINEAR
        case "bicubic":
            return Image.Resampling.BICUBIC
        case _:
            assert_never(name)

"""A picture in any form as grey or colour of 8 bits a channel, as a viewer shows it.

All that training, evaluation and prediction look at goes through here, so that each sees the same:

- Pictures are upright: the orientation that a camera wrote (EXIF) is obeyed.
- 16 bits a channel become 8 by their full range, 65535 as 255; floats are from 0 to 1. What has
  no range that is known (32-bit integers, other floats) is refused.
- Alpha is dropped, as torchvision does: a transparent pixel has the colour that is stored.
- Of several frames or pages the first is taken.

It needs numpy and Pillow, no torch.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from compress.errors import DataError

Pixels = NDArray[np.uint8]
Mode = Literal["L", "RGB"]

_ORIENTATION = 0x0112  # the tag of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WORDS = ("PNG", "PPM")  # formats whose integers in Pillow's 32 bits are of 16


def open_image(path: Path) -> Image.Image:
    """Open and decode an image file; raise `DataError` where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is odd in a file that opens all the same
            # by name, Pillow would map a plain TIFF, and turn one that lies on its side wrongly
            with path.open("rb") as stream, Image.open(stream) as image:
                image.load()
                image.filename = str(path)
                return image
    except Exception as error:  # Pillow's decoders raise what they like
        raise DataError(f"{path} is not a readable image: {_reason(error)}") from error


def picture(image: NDArray[Any] | Image.Image, mode: Mode) -> Image.Image:
    """Return an image upright, in grey or colour of 8 bits a channel.

    Args:
        image: Pillow's, or an array of shape `(height, width)` or `(height, width, channels)` with
            1, 3 or 4 channels: uint8, uint16, truth values, floats from 0 to 1, or other integers
            from 0 to 255.
        mode: L or RGB.

    Raises:
        DataError: when the image has another form.
    """
    if isinstance(image, np.ndarray):
        return Image.fromarray(from_array(image)).convert(mode)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of transparency, which is dropped
            return _plain(_upright(image)).convert(mode)
    except DataError:
        raise
    except Exception as error:  # Pillow raises what it likes
        raise DataError(
            f"{_name(image)} is in {image.mode}, which cannot be made {mode}: {_reason(error)}"
        ) from error


def from_array(array: NDArray[Any]) -> Pixels:
    """Return an array of an image as pixels, `(height, width)` or `(height, width, 3)`."""
    shape = array.shape
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or channels not in (1, 3, 4) or 0 in shape:
        first = len(shape) == 3 and shape[0] in (1, 3, 4)
        hint = "; its channels come first: give numpy.moveaxis(image, 0, -1)" if first else ""
        raise DataError(
            f"an image must have the shape (height, width) or (height, width, 3), got {shape}{hint}"
        )
    pixels = _bytes(array, "an image")
    if len(shape) == 3:
        pixels = pixels[..., 0] if channels == 1 else pixels[..., :3]
    return np.ascontiguousarray(pixels)


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture with 8 bits a channel."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if image.mode == "I":
        if image.format not in _WORDS:
            raise DataError(
                f"{_name(image)} has 32 bits a pixel, whose range is not known; "
                "save it with 8 or 16 bits a channel"
            )
        values = values.clip(0, 65535).astype(np.uint16)
    return Image.fromarray(_bytes(values, _name(image)))


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (Pillow raises what it likes; viewers ignore damaged EXIF)
        turn = None
    return image if turn is None else image.transpose(turn)


def _bytes(values: NDArray[Any], name: str) -> Pixels:
    """Scale values by the range that their type has."""
    kind = values.dtype.kind
    if values.dtype == np.uint8:
        return values
    if kind == "u" and values.dtype.itemsize == 2:
        scaled: Pixels = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return scaled
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    if kind == "f" and values.min() >= 0 and values.max() <= 1:  # neither holds for NaN
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    wanted = "floats from 0 to 1" if kind == "f" else "integers from 0 to 255, or 16 bits unsigned"
    found = f"{values.dtype.name} from {values.min()} to {values.max()}" if kind in "iuf" else kind
    raise DataError(f"{name} must hold {wanted}, got {found}")


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "") or "an image")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its words name an object of Python
        return "Pillow knows no format that begins like it"
    return " ".join(str(error).split()) or type(error).__name__

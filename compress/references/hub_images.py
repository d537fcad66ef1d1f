"""A preprocessor_config.json as our record of preprocessing, where it is simple.

Source: transformers' image processors: resize (to a size, or the short side), centre crop, rescale,
normalize.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def preprocessing_of(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how an image becomes the input; None for what is not told, or is something else.

    >>> made = preprocessing_of({"size": {"shortest_edge": 256}, "do_center_crop": True,
    ...     "crop_size": {"height": 224, "width": 224}, "resample": 3, "do_normalize": False})
    >>> made["resize"], made["crop"], made["resample"]
    (256, [224, 224], 'bicubic')
    """
    resize = _size(record.get("size")) if record.get("do_resize", True) else None
    crop = _size(record.get("crop_size")) if record.get("do_center_crop", False) else resize
    if isinstance(crop, int):
        crop = [crop, crop]
    resample = _FILTERS.get(record.get("resample", 2))
    if crop is None or resample is None or record.get("do_pad", False):
        return None
    normalizes = record.get("do_normalize", True)
    mean, std = record.get("image_mean"), record.get("image_std")
    if normalizes and (not isinstance(mean, list) or not isinstance(std, list)):
        return None
    scale = record.get("rescale_factor", 1 / 255) if record.get("do_rescale", True) else 1.0
    return {
        "mode": "RGB",
        "crop": crop,
        "resize": resize,
        "resample": resample,
        "scale": scale,
        "mean": mean if normalizes else [0.0],
        "std": std if normalizes else [1.0],
    }


def _size(told: Any) -> int | list[int] | None:  # noqa: ANN401  (JSON's types)
    """Return a short side, or height and width."""
    if isinstance(told, int):
        return [told, told]
    match told:
        case {"shortest_edge": int(short)}:
            return short
        case {"height": int(height), "width": int(width)}:
            return [height, width]
        case _:
            return None

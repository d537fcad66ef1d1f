"""Networks of timm, with what timm says of their inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compress_zoo.errors import unknown
from compress_zoo.weights import timm as published

from compress.errors import MissingExtraError
from compress.references.file import named
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

if TYPE_CHECKING:
    from torch import nn

_UNKNOWN = {"input_size": (3, 224, 224), "mean": (0.5,) * 3, "std": (0.5,) * 3}
_RESAMPLE = {"bicubic": "bicubic"}  # other filters are bilinear: Pillow's own is near to them


def resolve(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return a network of timm; a task's classes decide its outputs.

    Args:
        text: timm's name.
        task: that the network is for.
        inputs: in place of the size that it was trained at.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "timm", "timm") from error
    if not timm.is_model(text):
        raise unknown("model timm:", text, timm.list_models())
    found: Any = timm.get_pretrained_cfg(text)
    config: Mapping[str, Any] = found.to_dict() if found is not None else _UNKNOWN
    taken = tuple(inputs) or (Given("input", tuple(config["input_size"])),)

    def build(own: Task | None) -> nn.Module:
        classes: Any = {"num_classes": len(own.classes)} if own is not None and own.classes else {}
        model: nn.Module = timm.create_model(text, pretrained=False, **classes).eval()
        return model

    def load(model: nn.Module) -> None:
        model.load_state_dict(published(f"timm:{text}", text, None, model))

    is_published = timm.is_model_pretrained(text)
    return Subject(
        name=named(text),
        source=Torch(
            build=build,
            load_pretrained=load if is_published else None,
            is_made_for=lambda own: own is None or len(own.classes) == config.get("num_classes"),
        ),
        inputs=taken,
        preprocessing=_preprocessing(config, taken[0].shape),
    )


def _preprocessing(config: Mapping[str, Any], shape: Sequence[int]) -> dict[str, Any] | None:
    """Return how timm makes inputs of images when it evaluates."""
    match tuple(shape):
        case (1 | 3 as channels, height, width):
            part = config.get("crop_pct") or 1.0
            tall, wide = math.floor(height / part), math.floor(width / part)
            return {
                "mode": "L" if channels == 1 else "RGB",
                "crop": [height, width],
                "resize": tall if tall == wide else [tall, wide],
                "resample": _RESAMPLE.get(config.get("interpolation", ""), "bilinear"),
                "mean": list(config["mean"])[:channels],
                "std": list(config["std"])[:channels],
            }
        case _:
            return None

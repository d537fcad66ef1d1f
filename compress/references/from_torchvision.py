"""Networks of torchvision, with what torchvision says of their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from compress_zoo.errors import unknown
from compress_zoo.weights import torchvision as published

from compress.errors import MissingExtraError
from compress.references.file import named
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

if TYPE_CHECKING:
    from torch import nn

_SIDE = 224  # of images, where the weights do not tell


def resolve(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return a network of torchvision.models; a task's classes decide its outputs.

    Args:
        text: torchvision's name.
        task: that the network is for.
        inputs: in place of the size that it was trained at.
    """
    try:
        from torchvision import models
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torchvision", "torch") from error
    if text not in models.list_models():
        raise unknown("model torchvision:", text, models.list_models())
    weights = models.get_model_weights(text).DEFAULT
    preprocessing = _preprocessing(weights.transforms())
    side = (3, *preprocessing["crop"]) if preprocessing is not None else (3, _SIDE, _SIDE)

    def build(own: Task | None) -> nn.Module:
        classes = {"num_classes": len(own.classes)} if own is not None and own.classes else {}
        model: nn.Module = models.get_model(text, weights=None, **classes).eval()
        return model

    def load(model: nn.Module) -> None:
        model.load_state_dict(published(f"torchvision:{text}", text, weights.name))

    count = len(weights.meta.get("categories") or ())
    return Subject(
        name=named(text),
        source=Torch(
            build=build,
            load_pretrained=load,
            is_made_for=lambda own: own is None or len(own.classes) == count,
        ),
        inputs=tuple(inputs) or (Given("input", side),),
        preprocessing=preprocessing if not inputs or inputs[0].shape == side else None,
    )


def _preprocessing(transforms: Any) -> dict[str, Any] | None:  # noqa: ANN401  (torchvision's own)
    """Return how torchvision makes inputs of images when it evaluates; None for other kinds."""
    crop, resize = (getattr(transforms, name, None) for name in ("crop_size", "resize_size"))
    if not crop or not resize:
        return None
    name = str(getattr(transforms.interpolation, "value", "bilinear"))
    return {
        "mode": "RGB",
        "crop": [crop[0], crop[-1]],
        "resize": resize[0] if len(resize) == 1 else list(resize),
        "resample": name if name in ("bilinear", "bicubic") else "bilinear",
        "mean": list(transforms.mean),
        "std": list(transforms.std),
    }

"""Any network of timm, `timm:NAME`: its input and preprocessing are those of its configuration.

Source: timm/data/config.py and timm/data/transforms_factory.py of timm 1.0, whose
`transforms_imagenet_eval` says how the configuration becomes a resize and a crop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from compress.errors import SettingsError
from compress.references.asked import Asked, classes_of, file_name, library, load_state, made_for
from compress.references.inputs import sized
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task


def resolve(name: str, asked: Asked) -> Subject:
    """Return a network of timm; weights are those of its name's tag, or its default ones.

    Raises:
        MissingExtraError: when timm is not installed.
        ZooError: with the nearest names, when there is no such network.
    """
    timm = library("timm", "timm")
    _require_known(timm, name)
    config = timm.get_pretrained_cfg(name).to_dict()
    own = (Given("input", tuple(config["input_size"])),)
    taken, preprocessing = sized(own, _preprocessing(timm, config, name), asked.inputs, name)

    def load(model: Any) -> None:  # noqa: ANN401  (an nn.Module)
        from compress_zoo import weights

        load_state(model, weights.timm(name, name, None, model), name)

    def build(task: Task | None) -> Any:  # noqa: ANN401  (an nn.Module)
        classes = classes_of(task)
        options = {} if classes is None else {"num_classes": classes}
        return timm.create_model(name, pretrained=False, **options).eval()

    return Subject(
        name=file_name(name),
        source=Torch(
            build=build,
            load_pretrained=load if timm.is_model_pretrained(name) else None,
            is_made_for=made_for(config.get("num_classes")),
        ),
        inputs=taken,
        preprocessing=preprocessing,
    )


def _require_known(timm: Any, name: str) -> None:  # noqa: ANN401  (a module)
    from compress_zoo.errors import unknown

    names = timm.list_models()
    base, _, tag = name.partition(".")
    if base not in names:
        raise unknown("timm network", base, names)
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        raise unknown(f"tag of {base}", tag, tags)


def _preprocessing(timm: Any, config: Mapping[str, Any], name: str) -> dict[str, Any] | None:  # noqa: ANN401
    """Return how timm's own evaluation makes an input of an image; None for what is no image."""
    data = timm.data.resolve_data_config({}, pretrained_cfg=dict(config))
    channels, height, width = data["input_size"]
    if channels not in (1, 3):
        return None
    if data["interpolation"] not in ("bilinear", "bicubic"):
        raise SettingsError(f"{name} resizes by {data['interpolation']}, which is not known here")
    tall, wide = (math.floor(side / data["crop_pct"]) for side in (height, width))
    short = data["crop_mode"] != "squash" and height == width
    return {
        "mode": "RGB" if channels == 3 else "L",
        "crop": [height, width],
        "resize": tall if short else [tall, wide],
        "resample": data["interpolation"],
        "scale": 1 / 255,
        "mean": list(data["mean"]),
        "std": list(data["std"]),
    }

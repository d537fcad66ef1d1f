"""Networks of torchvision.models that take one image: `torchvision:NAME`, weights `DEFAULT`.

Preprocessing is that of the weights' own `transforms()`. Of the other networks, detectors take a
list of images (the zoo has some as networks of tensors), and RAFT two at once.

Source: torchvision/transforms/_presets.py and torchvision/models/*.py of torchvision 0.29.
"""

from __future__ import annotations

from typing import Any

from compress.errors import SettingsError
from compress.references.asked import Asked, classes_of, file_name, library, load_state, made_for
from compress.references.inputs import sized
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

# Heads that are there in training only are left out; what torchvision sets with published weights
# is set, and truncated normals, which are slow to draw, are not drawn.
_INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": False}


def resolve(name: str, asked: Asked) -> Subject:
    """Return a network of torchvision.

    Raises:
        MissingExtraError: when torchvision is not installed.
        SettingsError: when it takes something else than one image.
        ZooError: with the nearest names, when there is no such network.
    """
    from compress_zoo.errors import unknown

    models = library("torchvision.models", "torch")
    if name not in models.list_models():
        raise unknown("torchvision network", name, models.list_models())
    weights = models.get_model_weights(name).DEFAULT
    preprocessing = _preprocessing(weights.transforms(), name)
    own = (Given("input", (3, *preprocessing["crop"])),)
    taken, resized = sized(own, preprocessing, asked.inputs, name)
    settings = _settings(name, taken[0].shape[1])

    def load(model: Any) -> None:  # noqa: ANN401  (an nn.Module)
        from compress_zoo.weights import torchvision

        load_state(model, torchvision(name, name, weights.name), name)

    def build(task: Task | None) -> Any:  # noqa: ANN401  (an nn.Module)
        classes = classes_of(task)
        options = settings if classes is None else {**settings, "num_classes": classes}
        return models.get_model(name, weights=None, **options).eval()

    return Subject(
        name=file_name(name),
        source=Torch(
            build=build,
            load_pretrained=load,
            is_made_for=made_for(len(weights.meta["categories"])),
        ),
        inputs=taken,
        preprocessing=resized,
    )


def _settings(name: str, side: int) -> dict[str, Any]:
    """Return what a builder has to be told."""
    if name in ("googlenet", "inception_v3"):
        return dict(_INCEPTION)
    if name.startswith("vit_"):
        return {"image_size": side}
    if name.startswith(("fcn_", "deeplabv3_", "lraspp_")):
        return {"weights_backbone": None}  # else a trained one is downloaded
    return {}


def _preprocessing(transforms: Any, name: str) -> dict[str, Any]:  # noqa: ANN401  (torchvision's own)
    kind = type(transforms).__name__
    if kind not in ("ImageClassification", "SemanticSegmentation") or name.startswith("quantized_"):
        why = (
            "is quantized already" if name.startswith("quantized_") else "takes more than one image"
        )
        raise SettingsError(
            f"torchvision:{name} {why}; give a function that builds a network of tensors, "
            "FILE.py:FUNCTION, or a row that compress zoo lists"
        )
    (resize,) = transforms.resize_size
    crop = getattr(transforms, "crop_size", [resize])
    return {
        "mode": "RGB",
        "crop": [crop[0], crop[0]],
        "resize": resize,
        "resample": transforms.interpolation.value,
        "scale": 1 / 255,
        "mean": list(transforms.mean),
        "std": list(transforms.std),
    }

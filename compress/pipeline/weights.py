"""Where the weights of a run come from: published, random, trained here, given, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import DataError, SettingsError
from compress.pipeline import published
from compress.recipe import Recipe
from compress.references.subject import Onnx, Subject

if TYPE_CHECKING:
    from torch import nn

    from compress.tasks import Task

_NAMED = ("pretrained", "random", "trained")
#: `given` are those that the network comes with: a function's, a module's, an ONNX file's
Source = Literal["given", "pretrained", "random", "trained"] | Path


def source_of(recipe: Recipe, subject: Subject, task: Task | None) -> Source:
    """Return where the dense weights come from; raise `SettingsError` where nothing is said."""
    network = subject.source
    if isinstance(network, Onnx):
        if recipe.weights is not None:
            raise SettingsError(f"weights must be left out: {subject.name} is a file that has them")
        return "given"
    match recipe.weights:
        case "pretrained" | "random":
            return recipe.weights
        case "trained":
            if task is None:
                raise SettingsError("weights must be trained on a task; give --task")
            return "trained"
        case None if network.is_trained:
            return "given"
        case None if network.load_pretrained is not None and network.is_made_for(task):
            return "pretrained"
        case None if task is not None:
            return "trained"
        case None:
            raise SettingsError(
                f"{subject.name} has no published weights; give --task to train it on, "
                "or --weights random|FILE"
            )
        case file:
            return Path(file)


def preprocessing_of(source: Source, subject: Subject) -> Mapping[str, Any] | None:
    """Return how the weights want their images; None for as the task gives them."""
    match source:
        case "pretrained" | "given":
            return subject.preprocessing
        case Path(suffix=".net"):
            return published.PREPROCESSING
        case _:
            return None


def load_file(path: Path, model: nn.Module) -> None:
    """Load a safetensors state dict into a model.

    Raises:
        DataError: when the file cannot be read or does not fit the model.
    """
    import safetensors.torch

    if not path.is_file():
        raise DataError(f"weights {path} is not a file; the names are {', '.join(_NAMED)}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            if "compress" in (file.metadata() or {}):
                raise DataError(
                    f"weights {path} is a compressed file; unpack it, or give its source"
                )
        safetensors.torch.load_model(model, path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise DataError(f"weights {path} is not a safetensors file: {error}") from error
    except RuntimeError as error:  # names or shapes differ
        what = " ".join(str(error).partition(":")[2].split()) or str(error)
        raise DataError(f"weights {path} do not fit the model: {what[:200]}") from error

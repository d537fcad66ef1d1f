"""The dense network that a run begins with: random, published, from a file, or trained here."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
import safetensors
import safetensors.torch
import torch
from torch import nn

from compress import files, kept, places
from compress.errors import DataError, OutputError, SettingsError
from compress.pipeline import published
from compress.pipeline.subject import Data, Subject
from compress.recipe import Recipe
from compress.training.settings import TrainSettings

_LOG = logging.getLogger(__name__)
_VERSION = 2  # of how a baseline is trained: raised where its bits change
_NAMED = ("pretrained", "random", "trained")
Source = Literal["pretrained", "random", "trained"] | Path


def source_of(recipe: Recipe, subject: Subject) -> Source:
    """Return where the dense weights come from; raise `SettingsError` where nothing is said."""
    match recipe.weights:
        case "pretrained" | "random":
            return recipe.weights
        case "trained":
            if subject.task is None:
                raise SettingsError("weights must be trained on a task; give --task")
            return "trained"
        case None if subject.is_pretrained:
            return "pretrained"
        case None if subject.task is not None:
            return "trained"
        case None:
            raise SettingsError(
                f"{subject.name} has no published weights; give --task to train it on, "
                "or --weights random|FILE"
            )
        case file:
            return Path(file)


def preprocessing_of(source: Source, subject: Subject) -> Mapping[str, object] | None:
    """Return how the weights want their images; None for as the task gives them."""
    match source:
        case "pretrained":
            return subject.preprocessing
        case Path(suffix=".net"):
            return published.PREPROCESSING
        case _:
            return None


def weights_file(path: Path, model: nn.Module) -> None:
    """Load a safetensors state dict into a model.

    Raises:
        DataError: when the file cannot be read or does not fit the model.
    """
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


def baseline_file(
    subject: Subject,
    data: Data,
    settings: TrainSettings,
    seed: int,
    *,
    model: nn.Module,
    device: torch.device,
) -> Path:
    """Return where the trained baseline is kept: by content of all that decides it.

    Args:
        subject: the network's name.
        data: with a part to train on; what its images hold counts, not where they lie.
        settings: of the training.
        seed: of the training.
        model: the network as it is before the training.
        device: where it is trained.
    """
    assert data.train is not None
    content = {
        "model": subject.name,
        "network": _digest_of(model, data),
        "task": data.task.name,
        "classes": data.classes,
        "settings": asdict(settings),
        "augmentation": dict(data.task.augmentation),
        "preprocessing": data.preprocessing.to_json(),
        "samples": [part and part.digest() for part in (data.train, data.validation)],
        "seed": seed,
        "machine": _machine(device),
        "versions": [_VERSION, torch.__version__, np.__version__, PIL.__version__],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return places.cache() / "models" / f"{subject.name}-{data.task.name}-{digest[:16]}.safetensors"


def _digest_of(model: nn.Module, data: Data) -> str:
    """Digest a network's weights and layers, and what it makes of a sample.

    The last tells apart what only the code of a forward pass does.
    """
    assert data.train is not None
    digest = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", repr(model)).encode())
    training = model.training
    with torch.inference_mode():
        sample = torch.from_numpy(data.preprocessing(data.train.images([0])))
        answer = model.eval().cpu()(sample)
    model.train(training)
    for name, held in [*model.state_dict().items(), ("", answer)]:
        array = np.ascontiguousarray(held.numpy())
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _machine(device: torch.device) -> list[object]:
    """Return what decides in which order floats are summed."""
    processes = os.environ.get("WORLD_SIZE", "1")  # of torchrun
    if device.type == "cuda":
        return [processes, torch.cuda.get_device_name(device)]
    return [processes, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]


def trained(file: Path, model: nn.Module, train: Callable[[], object]) -> None:
    """Load the baseline that is kept in `file`, or train it and keep it there."""
    if file.exists() and _is_loaded(file, model):
        return
    try:
        files.require_writable(file)  # before hours of training
        train()
        state = {name: held.contiguous().clone() for name, held in model.state_dict().items()}
        kept.write(file, safetensors.torch.save(state, dict(kept.ROOM)))
    except OutputError as error:
        raise OutputError(f"{error} (or set $COMPRESS_CACHE)") from error


def _is_loaded(file: Path, model: nn.Module) -> bool:
    """Load a kept baseline; where it is not what was written, say so and leave the model."""
    untrained = {name: held.clone() for name, held in model.state_dict().items()}
    try:
        kept.read(file)
        weights_file(file, model)
    except DataError as error:
        _LOG.warning("the dense network is trained anew: %s", error)
        model.load_state_dict(untrained)
        return False
    return True


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network whose random weights follow from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()

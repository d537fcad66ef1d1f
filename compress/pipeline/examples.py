"""What torch and ONNX Runtime are compared on: examples of the inputs, and torch's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree

from compress.errors import DataError, UnsupportedLayerError
from compress.pipeline.subject import Data, Subject

_SAMPLES = 2  # enough for the exporter to tell the batch from a constant


def inputs_of(subject: Subject, data: Data | None, seed: int) -> list[NDArray[Any]]:
    """Return an example of each input, batch first: real where there is data, else random."""
    batch = subject.batch or _SAMPLES
    if data is not None:
        return [data.preprocessing(data.test.images(np.arange(batch) % len(data.test)))]
    random = np.random.default_rng(seed)
    return [
        random.standard_normal((batch, *given.shape), np.float32)
        if given.below is None
        else random.integers(0, given.below, (batch, *given.shape))
        for given in subject.inputs
    ]


def outputs_of(model: nn.Module, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return all tensors of what a model returns, in the order in which they are exported.

    Raises:
        UnsupportedLayerError: when it returns none.
    """
    with torch.inference_mode():
        returned = model(*map(torch.from_numpy, inputs))
    found = [leaf.numpy() for leaf in _pytree.tree_leaves(returned) if isinstance(leaf, Tensor)]
    if not found:
        raise UnsupportedLayerError(f"{type(model).__name__} returns no tensor")
    return found


def require_scores(model: nn.Module, subject: Subject, data: Data) -> None:
    """Raise `DataError` unless a network gives a score for each class, and no more."""
    shapes = [found.shape for found in outputs_of(model, inputs_of(subject, data, seed=0))]
    match shapes:
        case [(_, _)]:
            return
        case _:
            raise DataError(
                f"task {data.task.name} needs a network that gives one score a class, "
                f"got {subject.name} with outputs of shape {', '.join(map(str, shapes))}"
            )


def output_names(count: int) -> list[str]:
    """Name a network's outputs: output, or output_0, output_1 and so on."""
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]

"""Networks that are files."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from compress.errors import DataError, SettingsError
from compress.references.networks import require_file
from compress.references.subject import Given, Onnx, Subject
from compress.tasks import Task


def onnx(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return an ONNX file; its inputs are read from the graph, and what it leaves open from these.

    Raises:
        DataError: when it cannot be read.
        SettingsError: when shapes are given that its inputs do not have.
    """
    from compress.artifact.sources import open_source

    path = require_file(text)
    graph = open_source(path).model.graph
    weights = {tensor.name for tensor in graph.initializer}
    found = [value for value in graph.input if value.name not in weights]
    if not found:
        raise DataError(f"{path} has no inputs")
    taken, batches = [], []
    for value in found:
        kind = value.type.tensor_type
        sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        batches.append(sizes[0] if sizes else 0)
        is_float = kind.elem_type in (1, 10, 11, 16)  # ONNX's numbers of types of floats
        below = None if is_float else int(np.iinfo(np.int64).max)
        taken.append(Given(value.name, tuple(sizes[1:]), below))
    if inputs:
        taken = [
            _said(own, said, path.name)
            for own, said in zip(taken, _as_many(inputs, taken), strict=True)
        ]
    fixed = batches[0] or None
    return Subject(name=named(path.stem), source=Onnx(path=path), inputs=tuple(taken), batch=fixed)


def pt2(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Refuse what torch.export saved: torch 2.14 reads it by running what is pickled in it."""
    raise SettingsError(
        f"model {text} cannot be read without running code that is pickled in it, as torch itself "
        "warns; export it to ONNX (torch.onnx.export) and name that file"
    )


def named(text: str) -> str:
    """Return a name of files for any text.

    >>> named("org/net v2")
    'net_v2'
    """
    return re.sub(r"[^\w.-]+", "_", text.rstrip("/").rpartition("/")[2]) or "network"


def _as_many(inputs: Sequence[Given], taken: Sequence[Given]) -> Sequence[Given]:
    if len(inputs) != len(taken):
        names = ", ".join(own.name for own in taken)
        raise SettingsError(f"input must give a shape for each of {names}, got {len(inputs)}")
    return inputs


def _said(own: Given, said: Given, name: str) -> Given:
    """Return an input whose open sizes are as said."""
    fits = len(own.shape) in (0, len(said.shape)) and all(
        not size or size == other for size, other in zip(own.shape, said.shape, strict=False)
    )
    if not fits:
        raise SettingsError(f"input {own.name} of {name} has shape {own.shape}, got {said.shape}")
    return Given(own.name, said.shape, said.below if own.below is not None else None)

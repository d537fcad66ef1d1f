"""Networks that are files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from compress.artifact import facts
from compress.errors import DataError, SettingsError
from compress.references import onnx_inputs
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
    model = open_source(path).model
    taken = onnx_inputs.read(model.graph)
    if not taken.inputs:
        raise DataError(f"{path} has no inputs")
    said = taken.inputs
    if inputs:
        pairs = zip(taken.inputs, _as_many(inputs, taken.inputs), strict=True)
        said = tuple(_said(own, other, path.name) for own, other in pairs)
    told = facts.from_entries({entry.key: entry.value for entry in model.metadata_props})
    preprocessing = told.get("preprocessing")
    return Subject(
        name=named(path.stem),
        source=Onnx(path=path),
        inputs=said,
        batch=taken.batch,
        is_alone=taken.is_alone,
        preprocessing=preprocessing if isinstance(preprocessing, dict) else None,
    )


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
    below = None if own.below is None else min(own.below, said.below or own.below)
    return Given(own.name, said.shape, below)

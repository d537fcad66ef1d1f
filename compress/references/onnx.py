"""An ONNX file: its initializers are the weights, and its graph stays as it is.

Facts that a file of ours tells (preprocessing) are taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compress.artifact import facts
from compress.errors import DataError, SettingsError
from compress.references import onnx_inputs
from compress.references.asked import Asked, file_name
from compress.references.subject import Given, Onnx, Subject


def resolve(text: str, asked: Asked) -> Subject:
    """Return the network of a file; its inputs are read from the graph, and open sizes as asked.

    Raises:
        DataError: when it cannot be read.
        SettingsError: when shapes are given that its inputs do not have.
    """
    from compress.artifact.sources import open_source

    path = Path(text).expanduser()
    if not path.is_file():
        raise SettingsError(f"model {text} is not a file")
    model = open_source(path).model
    taken = onnx_inputs.read(model.graph)
    if not taken.inputs:
        raise DataError(f"{path} has no inputs")
    said = taken.inputs
    if asked.inputs is not None:
        pairs = zip(taken.inputs, _as_many(asked.inputs, taken.inputs), strict=True)
        said = tuple(_said(own, other, path.name) for own, other in pairs)
    told = facts.from_entries({entry.key: entry.value for entry in model.metadata_props})
    preprocessing = told.get("preprocessing")
    return Subject(
        name=file_name(path.stem),
        source=Onnx(path=path),
        inputs=said,
        batch=taken.batch,
        is_alone=taken.is_alone,
        preprocessing=preprocessing if isinstance(preprocessing, dict) else None,
    )


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

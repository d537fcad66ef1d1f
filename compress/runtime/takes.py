"""What a session takes, as tasks are told: inputs, preprocessing and tokenizer of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.artifact import archive
from compress.runtime.inputs import Value
from compress.runtime.session import Session
from compress.tasks import Takes

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Taken:
    """One input."""

    name: str
    shape: tuple[int, ...]  #: of one sample; 0 where any size goes
    below: int | None  #: None for floats; for integers, of which the graph does not tell, the most


def takes_of(session: Session, path: Path, *, preprocessing: bool = True) -> Takes:
    """Return what the network of a file takes.

    Args:
        session: of the file.
        path: the file.
        preprocessing: whether to tell how the file wants its images.
    """
    told = session.metadata.get("preprocessing") if preprocessing else None
    return Takes(
        name=str(path),
        inputs=tuple(map(_taken, session.inputs)),
        preprocessing=told if isinstance(told, Mapping) else None,
        tokenizer=archive.read(path).file(TOKENIZER) if path.suffix != ".onnx" else None,
    )


def _taken(value: Value) -> Taken:
    shape = tuple(size if isinstance(size, int) else 0 for size in value.shape[1:])
    whole = "int" in value.type or "bool" in value.type
    return Taken(value.name, shape, int(np.iinfo(np.int64).max) if whole else None)

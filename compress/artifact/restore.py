"""The files that were packed, out of a compressed file, byte for byte and never all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compress.artifact import archive, model, sources
from compress.artifact.archive import Archive
from compress.artifact.pieces import Assembly
from compress.artifact.safetensors_file import lay_out
from compress.artifact.sources import Source
from compress.artifact.values import Items
from compress.errors import DataError, FormatError

_ZEROS = memoryview(bytes(1 << 20))


class Put(Protocol):
    """Takes bytes of a file; it is called from several threads, in any order."""

    def __call__(self, file: int, begin: int, data: bytes | memoryview) -> None:
        """Take the bytes that stand at a place of a file."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A file as it was packed, or as the model gives it."""

    name: str  #: below the folder of the model, with slashes; empty for the model itself
    n_bytes: int
    sha256: bytes | None = None  #: where the compressed file tells it


def is_weights(found: Archive) -> bool:
    """Return whether a file of weights was packed, and no model."""
    return found.graph.producer_name == sources.WEIGHTS and not found.graph.graph.node


def files(found: Archive) -> tuple[tuple[Restored, ...], Callable[[Put], None]]:
    """Return the files that a compressed file gives back, and what puts their bytes.

    Raises:
        FormatError: when it holds weights that no file of weights can hold.
    """
    if found.assembly is not None:
        together = found.assembly
        told = tuple(Restored(f.name, f.n_bytes, f.sha256) for f in together.files)
        return told, lambda put: _put_together(found, together, put)
    if is_weights(found):
        return _weights(found)
    whole = archive.restore(found).SerializeToString()
    return (Restored("", len(whole)),), lambda put: put(0, 0, whole)


def require_same(found: Archive, source: Source) -> None:
    """Decode all of a compressed file and compare it with what was packed.

    Raises:
        DataError: when it is not the same, byte for byte.
        FormatError: when it cannot be decoded.
    """
    differing: list[int] = []

    def compare(file: int, begin: int, data: bytes | memoryview) -> None:
        if not source.files[file].holds(begin, data):
            differing.append(file)

    told, put_all = files(found)
    sizes = [(file.name, file.n_bytes) for file in told]
    if sizes == [(file.name, len(file.data)) for file in source.files]:
        put_all(compare)
    else:
        differing.append(0)
    if differing:
        raise DataError(
            f"{source.files[differing[0]].path} would not come back byte for byte, so nothing was "
            "written; please report it with the file"
        )


def _put_together(found: Archive, together: Assembly, put: Put) -> None:
    wanted: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, file in enumerate(together.files):
        for run in together.runs(file):
            match run.kind:
                case "literal":
                    put(index, run.begin, together.literals[run.place : run.place + run.n_bytes])
                case "zeros":
                    for done in range(0, run.n_bytes, len(_ZEROS)):
                        put(index, run.begin + done, _ZEROS[: run.n_bytes - done])
                case "tensor":
                    wanted[run.place].append((index, run.begin))

    def place(number: int, items: Items) -> None:
        for index, begin in wanted.get(number, ()):
            put(index, begin, items.view(np.uint8).data)

    archive.each(found, place)


def _weights(found: Archive) -> tuple[tuple[Restored, ...], Callable[[Put], None]]:
    try:
        entries = sources.entries_of(found.graph)
        facts = {entry.key: entry.value for entry in found.graph.metadata_props}
        laid = lay_out(entries, facts)
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"the weights do not fit a safetensors file: {error}") from error

    def put_all(put: Put) -> None:
        begins: list[int] = []  # of the tensors that are decoded
        put(0, 0, laid.head)
        for tensor, begin in zip(found.graph.graph.initializer, laid.begins, strict=True):
            if model.missing(tensor) is None:
                put(0, begin, tensor.raw_data)
            else:
                begins.append(begin)
        archive.each(found, lambda i, items: put(0, begins[i], items.view(np.uint8).data))

    return (Restored("", laid.n_bytes),), put_all

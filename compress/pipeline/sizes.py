"""The size of the file that a network would make, again and again, from one export.

Which tensor of the graph each parameter became is found where the bytes are the same, or those of
the transposed matrix. A network whose change is not found so (LSTM weights are put in another
order) has to be exported anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import EditableModel
from compress.artifact.splice import Path as Place
from compress.passes.onnx_graph import tensors_of

Array = NDArray[Any]
Held = Mapping[str, Array]  # of a network, by name


class Sizes:
    """One export, whose tensors take other values."""

    def __init__(
        self, export: Callable[[Path], object], held: Held, pack: Callable[[Path, Path], object]
    ) -> None:
        """Export a network.

        Args:
            export: writes it as ONNX.
            held: what it holds.
            pack: codes an ONNX file.
        """
        self._folder = tempfile.TemporaryDirectory()
        self._pack = pack
        plain = Path(self._folder.name) / "network.onnx"
        export(plain)
        self._model = EditableModel(plain)
        self._before = {name: array.copy() for name, array in held.items()}
        self._places = dict(self._found())
        found = {_memory(held[name]) for name in self._places}
        tied = {name for name, array in held.items() if _memory(array) in found}
        self._missing = self._before.keys() - tied - self._places.keys()
        # Of tensors that are the same the exporter keeps one.
        self._merged = {
            name
            for name in self._places
            if any(_are_same(self._before[name], self._before[one]) for one in self._missing)
        }

    def of(self, held: Held) -> int | None:
        """Return the size with other values; None where a change is not found in the graph."""
        fixed = self._missing | self._merged
        if any(not _are_same(held[name], self._before[name]) for name in fixed):
            return None
        for name, (place, is_transposed) in self._places.items():
            array = held[name]
            self._model.set_items(place, (array.T if is_transposed else array).reshape(-1))
        changed, packed = (Path(self._folder.name) / name for name in ("changed.onnx", "packed"))
        written = self._model.write(changed)
        self._pack(changed, packed)
        n_bytes = packed.stat().st_size
        for path in (*written, packed):
            path.unlink()
        return n_bytes

    def close(self) -> None:
        """Remove what was exported."""
        self._folder.cleanup()

    def _found(self) -> list[tuple[str, tuple[Place, bool]]]:
        """Find each parameter among the tensors of its name."""
        found = []
        for tensor in tensors_of(self._model):
            array = self._before.get(tensor.own)
            if array is None or not self._model.can_change(tensor.place):
                continue
            items, shape = self._model.items(tensor.place), tuple(tensor.proto.dims)
            for is_transposed, form in ((False, array), (True, array.T)):
                if form.shape == shape and _are_same(form.reshape(-1), items):
                    found.append((tensor.own, (tensor.place, is_transposed)))
                    break
        return found


def _memory(array: Array) -> tuple[int, int]:
    """Return where an array's numbers lie: those of tied parameters lie at one place."""
    return array.ctypes.data, array.nbytes


def _are_same(first: Array, second: Array) -> bool:
    """Tell whether two arrays have the same bits: a NaN is one, and -0 is not 0."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    bits = f"u{first.dtype.itemsize}"
    return bool(
        np.array_equal(
            np.ascontiguousarray(first).view(bits), np.ascontiguousarray(second).view(bits)
        )
    )

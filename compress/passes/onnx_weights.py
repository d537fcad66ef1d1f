"""The weights of an ONNX file, whose numbers are kept in the file's own type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import EditableModel
from compress.passes.network import Codes, Values
from compress.passes.onnx_graph import Found
from compress.passes.onnx_values import from_float32, to_float32
from compress.passes.targets import Kind

Array = NDArray[Any]


@dataclass(slots=True, eq=False)
class OnnxWeight:
    """A tensor of the file that passes may change."""

    model: EditableModel
    found: Found
    mask: NDArray[np.bool_] | None = None  #: what pruning keeps, shape `(n,)`
    is_shared: bool = False

    @property
    def name(self) -> str:
        """Its name, with the path of its graph."""
        return self.found.tensor.name

    @property
    def kind(self) -> Kind:
        """The kind of its layer."""
        return self.found.kind

    @property
    def names(self) -> frozenset[str]:
        """All names that address it."""
        return self.found.names

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; `(out, in, ...)` as its layer has it."""
        return self.found.shape

    @property
    def contracted(self) -> int | None:
        """The axis along which linear layers and convolutions add it up; None for other layers."""
        return self.found.contracted

    def values(self) -> Values:
        """Return the numbers in order, shape `(n,)`."""
        items = self.model.items(self.found.tensor.place)
        return to_float32(self._in_order(items), self.found.tensor.proto.data_type)

    def set_values(self, values: Values) -> None:
        """Take other numbers, shape `(n,)`, bound to nothing."""
        self._store(from_float32(values, self.found.tensor.proto.data_type))
        self.mask, self.is_shared = None, False

    def set_mask(self, keep: NDArray[np.bool_]) -> None:
        """Set to zero what a mask of shape `(n,)` does not keep, and have it stay so."""
        items = self._in_order(self.model.items(self.found.tensor.place))
        self._store(np.where(keep, items, items.dtype.type(0)))
        self.mask, self.is_shared = keep.copy(), False

    def set_codes(self, held: Codes) -> None:
        """Take the values of a codebook, and have them stay shared."""
        table = np.concatenate([np.zeros(1, np.float32), held.centroids])
        self.set_values(table[held.codes.astype(np.intp) + 1])
        self.is_shared = True

    def _in_order(self, items: Array) -> Array:
        """Return the stored numbers in the order of the layer."""
        if not self.found.is_transposed:
            return items
        return items.reshape(self.shape[::-1]).T.reshape(-1)

    def _store(self, items: Array) -> None:
        if self.found.is_transposed:
            items = items.reshape(self.shape).T.reshape(-1)
        self.model.set_items(self.found.tensor.place, items)

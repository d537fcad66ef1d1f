"""Bytes: of a state dict as it would be packed, and of each tensor in a compressed file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.artifact import archive, tensors
from compress.artifact.archive import Archive
from compress.artifact.values import Item, Items, Ledger
from compress.kernels.distinct import distinct


@dataclass(frozen=True, slots=True)
class TensorSize:
    """One tensor in a compressed file."""

    name: str
    shape: tuple[int, ...]
    weights: int  #: elements
    nonzero: int
    distinct: int  #: different values among the nonzero ones
    n_bytes: int  #: in the file, codebook and tables included
    form: str  #: how positions and values are coded


def packed_bytes(arrays: Iterable[NDArray[np.float32]]) -> int:
    """Return about how many bytes arrays take once packed, without graph and header."""
    item = Item(4, is_float=True)
    flat = ((np.ascontiguousarray(a).reshape(-1).view("<u4"), a.shape) for a in arrays if a.size)
    return sum(tensors.plan(items, item, shape).n_bytes for items, shape in flat)


def tensor_sizes(file: Archive) -> tuple[TensorSize, ...]:
    """Decode each tensor in turn and count."""
    rows = []
    for (layout, coded), n_bytes, items in zip(
        file.tensors, file.n_bytes, archive.decode(file), strict=True
    ):
        nonzero = items[items != 0]
        rows.append(
            TensorSize(
                name=layout.name,
                shape=layout.shape,
                weights=layout.count,
                nonzero=len(nonzero),
                distinct=_n_distinct(nonzero),
                n_bytes=n_bytes,
                form=coded.form,
            )
        )
    return tuple(rows)


def paper_bytes(file: Archive) -> int:
    """Return the bytes that Deep Compression's tables count: codes, gaps and codebooks of weights.

    Weights are tensors of two or more dimensions. Biases, the tables of Huffman codes, the graph
    and the header are not counted; a weight without a codebook counts with its values.
    """
    counted: Ledger = Counter()
    for layout, coded in file.tensors:
        if len(layout.shape) > 1:
            counted.update(coded.ledger)
    return sum(counted[kind] for kind in ("codes", "gaps", "codebooks", "dense"))


def _n_distinct(items: Items) -> int:
    few = distinct(items)
    if few is not None:
        return len(few)
    ordered = np.sort(items)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))

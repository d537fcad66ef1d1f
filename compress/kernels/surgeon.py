"""What is left of a weight makes up for what is pruned, on the inputs that its layer is given.

Sources: Hassibi & Stork 1993, "Optimal brain surgeon"; column by column with one factor for all
rows, Frantar & Alistarh 2023, "SparseGPT", arXiv:2301.00774, sec. 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.kernels.columns import TILE, take_out
from compress.kernels.compiled import compiled
from compress.kernels.magnitude import Mask, Values


def reconstruct(values: Values, keep: Mask, factor: Values) -> Values:
    """Return rows in which the weights behind a pruned one take its part over.

    Columns are done in order. What is pruned is taken out of those behind it, in the proportion
    that leaves the least squared error of the products.

    Args:
        values: before pruning, shape `(m, n)`.
        keep: what is not pruned, shape `(m, n)`.
        factor: upper triangular U, shape `(n, n)`; `U.T @ U` is the inverse of the inputs' mean
            outer product.

    >>> factor = np.linalg.cholesky(np.linalg.inv([[1, 0.5], [0.5, 1]])).T.astype(np.float32)
    >>> keep = np.array([[False, True]])
    >>> reconstruct(np.float32([[2, 1]]), keep, factor).round(3)  # of two inputs that go together
    array([[0., 2.]], dtype=float32)
    """
    rebuilt: Values = values.copy()
    _reconstruct(rebuilt, keep, factor)
    return rebuilt


@compiled()
def _reconstruct(values: Values, keep: NDArray[np.bool_], factor: Values) -> None:
    m, n = values.shape
    for begin in range(0, m, TILE):
        for i in range(n):
            for row in range(begin, min(begin + TILE, m)):
                if not keep[row, i]:
                    error = values[row, i] / factor[i, i]
                    values[row, i] = 0
                    if error != 0:
                        take_out(values[row, i + 1 :], factor[i, i + 1 :], error)

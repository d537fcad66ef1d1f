"""N:M sparsity: of M weights in a row N stay. Sparse tensor cores skip the zeros of 2:4.

Source: Mishra et al. 2021, "Accelerating sparse deep neural networks", arXiv:2104.08378, sec. 3, 4.
"""

from __future__ import annotations

import numpy as np

from compress.errors import DataError, require
from compress.kernels.magnitude import Mask, Values


def keep_in_groups(values: Values, axis: int, n: int, m: int, keep: Mask | None = None) -> Mask:
    """Return a mask of the `n` largest magnitudes of each `m`; first ones go first.

    Args:
        values: of any shape, finite; along `axis` a multiple of `m`.
        axis: that the groups lie along.
        n: weights of a group to keep, in [0, m].
        m: weights of a group.
        keep: an earlier mask, of the same shape; what it took stays pruned and counts as pruned.

    Raises:
        DataError: when a kept value is not finite.

    >>> keep_in_groups(np.float32([[-3, 1, 2, 1]]), 1, 2, 4)
    array([[ True, False,  True, False]])
    """
    require(0 <= n <= m, "n", f"in [0, {m}]", n)
    magnitudes = np.abs(values)
    if keep is not None:
        magnitudes[~keep] = -1
    if not np.isfinite(magnitudes).all():
        raise DataError("weights must be finite, got NaN or infinity among them")
    grouped = _grouped(values.shape, axis, m)
    order = np.argsort(magnitudes.reshape(grouped), axis + 1, kind="stable")
    out = np.ones(values.shape, np.bool_) if keep is None else keep.copy()
    smallest = order.take(range(m - n), axis + 1)
    np.put_along_axis(out.reshape(grouped), smallest, values=False, axis=axis + 1)
    return out


def is_in_groups(values: Values, axis: int, n: int, m: int) -> bool:
    """Tell whether of each `m` values along an axis, a multiple of `m`, at most `n` are nonzero.

    >>> is_in_groups(np.float32([[1, 0, 0, 1, 0, 1, 0, 0]]), 1, 2, 4)
    True
    """
    grouped = values.reshape(_grouped(values.shape, axis, m))
    return bool((np.count_nonzero(grouped, axis + 1) <= n).all())


def _grouped(shape: tuple[int, ...], axis: int, m: int) -> tuple[int, ...]:
    """Return a shape with one axis made two, the second of `m`."""
    size = shape[axis]
    require(m > 0 and size % m == 0, "m", f"a divisor of {size}", m)
    return *shape[:axis], size // m, m, *shape[axis + 1 :]

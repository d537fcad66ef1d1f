"""Anchor boxes from the boxes of a data set: k-means where near means to overlap.

Source: Redmon & Farhadi 2017, arXiv:1612.08242, sec. 2, "dimension clusters", table 1; Arthur &
Vassilvitskii 2007, "k-means++".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_zoo.errors import ZooError

Floats = NDArray[np.float64]

_MAX_STEPS = 1000  # means do not minimize 1 - IoU, so that nothing says the steps must end


def anchors(sizes: Floats, k: int, seed: int = 0) -> Floats:
    """Return `k` anchors `(k, 2)` for boxes of widths and heights `sizes`, the smallest first.

    The distance of a box to an anchor is 1 - IoU, both laid on one centre: Euclidean distance
    would spend the anchors on large boxes.

    Args:
        sizes: `(boxes, 2)`, positive.
        k: number of anchors, in [1, boxes].
        seed: of the choice of the first anchors.

    Raises:
        ZooError: when `k` or a size is out of its range.

    >>> anchors(np.array([[1.0, 1], [1, 1.2], [10, 4], [10, 6]]), k=2)
    array([[ 1. ,  1.1],
           [10. ,  5. ]])
    """
    if not 1 <= k <= len(sizes):
        raise ZooError(f"k must be in [1, {len(sizes)}], the number of boxes, got {k}")
    if not (sizes > 0).all():
        raise ZooError(f"sizes must be positive, got {sizes.min()}")
    found = _seeds(sizes, k, np.random.default_rng(seed))
    nearest = np.full(len(sizes), -1)
    for _ in range(_MAX_STEPS):
        before, nearest = nearest, iou(sizes, found).argmax(1)
        if np.array_equal(nearest, before):
            break
        for index in range(k):
            if (nearest == index).any():  # an anchor that no box is near to stays where it is
                found[index] = sizes[nearest == index].mean(0)
    order = np.argsort(found.prod(1))
    return found[order]


def _seeds(sizes: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Choose boxes one by one, those that no choice overlaps most likely: k-means++."""
    chosen = [int(rng.integers(len(sizes)))]
    while len(chosen) < k:
        distances = 1 - iou(sizes, sizes[chosen]).max(1)
        total = distances.sum()
        # Where only copies are left, any of them will do.
        odds = distances / total if total > 0 else np.full(len(sizes), 1 / len(sizes))
        chosen.append(int(rng.choice(len(sizes), p=odds)))
    return sizes[chosen]


def mean_iou(sizes: Floats, found: Floats) -> float:
    """Return the mean overlap of boxes with their best anchor: what table 1 lists."""
    return float(iou(sizes, found).max(1).mean())


def iou(sizes: Floats, others: Floats) -> Floats:
    """Return the overlaps of boxes laid on one centre, `(sizes, others)`."""
    both = np.minimum(sizes[:, None], others).prod(2)
    overlaps: Floats = both / (sizes.prod(1)[:, None] + others.prod(1) - both)
    return overlaps

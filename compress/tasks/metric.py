"""What a task is judged by: a figure a sample, in numpy, so that a device measures it, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]


def mean(figures: Figures) -> float:
    """Return the mean of all figures."""
    return float(figures.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure for a part of the data."""

    name: str  #: as reports call it: accuracy, spearman, mean absolute error
    #: outputs and targets of a batch to figures, shape `(n,)` or `(n, k)`; NaN where an output of
    #: the sample is not finite
    each: Callable[[Any, Any], Figures]
    whole: Callable[[Figures], float] = mean  #: the figures of all samples to one
    higher_is_better: bool = True
    is_fraction: bool = True  #: in [0, 1], and told in percent

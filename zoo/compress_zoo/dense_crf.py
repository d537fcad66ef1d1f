"""The fully connected CRF that sharpens a segmentation: DeepLab's second half.

Each pair of pixels is pulled to the same label, by an amount that falls with their distance and
with the difference of their colours. The most likely labels are approached by mean field: every
pixel asks all others what they are. Here that sum is exact, and so takes the square of the number
of pixels in time (not in memory): for maps of some ten thousand pixels, as the networks give them
before they are upsampled. Krähenbühl and Koltun approximate the same sum in linear time.

Source: Krähenbühl & Koltun 2011, arXiv:1210.5644, eq. 3 and alg. 1; Chen et al. 2014,
arXiv:1412.7062, sec. 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_zoo.errors import ZooError

Floats = NDArray[np.float64]

_MIN_PROBABILITY = 1e-12  # below it, a label that a network rules out could never come back
_BLOCK = 1 << 22  # pairs of pixels at a time: 32 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseCrf:
    """Weights and widths of the two kernels.

    Smoothness is as in DeepLab. Appearance it searches for, in ranges that these defaults are from.
    """

    appearance_weight: float = 5.0  #: of near pixels of like colour; >= 0
    position_deviation: float = 50.0  #: of the appearance kernel, in pixels
    color_deviation: float = 10.0  #: of the appearance kernel, in 8-bit steps
    smoothness_weight: float = 3.0  #: of near pixels; >= 0
    smoothness_deviation: float = 3.0  #: of the smoothness kernel, in pixels
    iterations: int = 10


def refine(probabilities: Floats, image: NDArray[np.uint8], crf: DenseCrf) -> Floats:
    """Return the probabilities after mean field.

    Args:
        probabilities: of each label at each pixel, `(classes, height, width)`; they sum to one.
        image: `(height, width, channels)`, of the same height and width.
        crf: its kernels.

    Raises:
        ZooError: when the two differ in size.

    >>> sure, unsure = [0.9, 0.1], [0.4, 0.6]
    >>> given = np.array([sure, unsure, sure]).T.reshape(2, 1, 3)
    >>> after = refine(given, np.zeros((1, 3, 3), np.uint8), DenseCrf())
    >>> after.argmax(0).tolist()  # three pixels of one colour: the one in the middle gives way
    [[0, 0, 0]]
    """
    classes, *size = probabilities.shape
    if tuple(size) != image.shape[:2]:
        raise ZooError(f"image must be {size[0]} x {size[1]} pixels, got {image.shape[:2]}")
    unary = -np.log(np.maximum(probabilities, _MIN_PROBABILITY)).reshape(classes, -1).T
    positions = np.indices(tuple(size)).reshape(2, -1).T.astype(np.float64)
    colors = image.reshape(len(positions), -1).astype(np.float64)
    beliefs = _softmax(-unary)
    for _ in range(crf.iterations):
        # Potts: a label is charged for the others' mass, which is a constant less its own.
        beliefs = _softmax(_messages(beliefs, positions, colors, crf) - unary)
    return beliefs.T.reshape(probabilities.shape)


def _messages(beliefs: Floats, positions: Floats, colors: Floats, crf: DenseCrf) -> Floats:
    """Sum the others' beliefs, weighted by both kernels: `(pixels, classes)`."""
    near = positions / crf.smoothness_deviation
    alike = np.hstack([positions / crf.position_deviation, colors / crf.color_deviation])
    messages = np.empty_like(beliefs)
    step = max(1, _BLOCK // len(beliefs))
    for start in range(0, len(beliefs), step):
        rows = slice(start, start + step)
        kernel = crf.appearance_weight * _gaussian(alike[rows], alike)
        kernel += crf.smoothness_weight * _gaussian(near[rows], near)
        messages[rows] = kernel @ beliefs
    own = crf.appearance_weight + crf.smoothness_weight  # both kernels are 1 at distance 0
    return messages - own * beliefs


def _gaussian(left: Floats, right: Floats) -> Floats:
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    kernel: Floats = np.exp(-0.5 * np.maximum(squares, 0.0))
    return kernel


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    beliefs: Floats = powers / powers.sum(1, keepdims=True)
    return beliefs

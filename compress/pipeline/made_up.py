"""Samples that stand for data where there are none.

An image is dead leaves: discs of all sizes that lie one over another, each of one colour, with some
noise of a photograph's spectrum. Layers see edges, corners and plains in colours that go together,
of which white noise has none, and that noise alone no edges.

Source: Ruderman 1997, "Origins of scaling in natural images" (discs whose radii r are as frequent
as r^-3); Baradad et al. 2021, arXiv:2106.05963 (networks learn from them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.kernels.leaves import paint
from compress.preprocess import Preprocessing
from compress.tasks.task import Input

_MEAN, _STD = 0.45, 0.26  # of photographs' pixels, as parts of the brightest
_WHITE = 255
_LEAVES = 400  # of an image
_SMALLEST, _LARGEST = 1 / 75, 0.6  # radius of a leaf, of the image's side
_TEXTURE = 0.15  # part of the variance that is noise
_BRIGHTNESS = 0.5  # standard deviation from image to image, where that within one is 1
_LEAST_SIDE = 8  # of what is taken for an image
_SIDE, _LENGTH = 64, 32  # of an image and a row, where the network takes any
#: Luminance, red against blue, green against both: what colours are made of, and how much of each.
_COLOURS = np.array([[1, 1, 1], [1, 0, -2], [1, -1, 1]]) * np.array([1, 0.35, 0.15])

Array = NDArray[Any]


def made_up(
    inputs: Sequence[Input],
    count: int,
    seed: int,
    preprocessing: Mapping[str, Any] | None = None,
) -> tuple[Array, ...]:
    """Make up what a network takes, an array for each input with a row for each sample.

    Args:
        inputs: of the network, in order; a size that varies is 0.
        count: of samples.
        seed: of all that is drawn.
        preprocessing: by which pixels become the network's input; None where it is not known.
    """
    drawn = np.random.default_rng(seed)
    return tuple(_one(given, count, drawn, preprocessing) for given in inputs)


def _one(
    given: Input, count: int, drawn: np.random.Generator, preprocessing: Mapping[str, Any] | None
) -> Array:
    if given.below is not None:
        return _integers(given, count, drawn)
    shape = _sized(given.shape, _SIDE)
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape[1:]) < _LEAST_SIDE:
        return drawn.standard_normal((count, *shape), np.float32)
    noise = np.stack([_image(shape, drawn) for _ in range(count)])
    if preprocessing is None:
        return noise
    known = Preprocessing.from_json(preprocessing)
    pixels = np.clip(_WHITE * (_MEAN + _STD * noise), 0, _WHITE).astype(np.uint8)
    return known.values(pixels.transpose(0, 2, 3, 1))


def _integers(given: Input, count: int, drawn: np.random.Generator) -> Array:
    """Return tokens; what tells which of them count says all, what tells their kind the first."""
    assert given.below is not None
    shape = (count, *_sized(given.shape, _LENGTH))
    if "mask" in given.name:
        return np.ones(shape, np.int64)
    if "type" in given.name:
        return np.zeros(shape, np.int64)
    return drawn.integers(0, given.below, shape)


def _sized(shape: Sequence[int], size: int) -> tuple[int, ...]:
    return tuple(side or size for side in shape)


def _image(shape: tuple[int, ...], drawn: np.random.Generator) -> NDArray[np.float32]:
    """Return one image of about mean 0 and standard deviation 1, shape `(channels, h, w)`."""
    leaves, noise = _leaves(shape, drawn), _noise(shape, drawn)
    leaves = (leaves - leaves.mean()) / max(leaves.std(), 1e-3)
    mixed = np.sqrt(1 - _TEXTURE) * leaves + np.sqrt(_TEXTURE) * noise
    mixed += _BRIGHTNESS * drawn.standard_normal()
    return np.asarray(mixed / np.hypot(1, _BRIGHTNESS), np.float32)


def _leaves(shape: tuple[int, ...], drawn: np.random.Generator) -> Array:
    """Return discs of one colour each, the last one on top."""
    channels, height, width = shape
    side = max(height, width)
    image = np.zeros(shape)
    radii = np.minimum(_SMALLEST / np.sqrt(1 - drawn.random(_LEAVES)), _LARGEST) * side
    radii = np.maximum(radii, 1)
    colours = drawn.standard_normal((_LEAVES, channels))
    if channels == 3:
        colours = colours @ _COLOURS.T
    around = radii[:, None]
    middles = drawn.uniform(-around, np.array([height, width]) + around)
    paint(image, middles, radii, colours)
    return image


def _noise(shape: tuple[int, ...], drawn: np.random.Generator) -> Array:
    """Return noise whose power falls with the square of the frequency, of variance 1."""
    channels, height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    size = (2, channels, *frequency.shape)
    real, imaginary = drawn.standard_normal(size) / np.maximum(frequency, 1 / max(height, width))
    planes = np.fft.irfft2(real + 1j * imaginary, s=(height, width))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    if channels == 3:
        planes = np.einsum("cd,dhw->chw", _COLOURS, planes)
    mixed: Array = planes / planes.std()
    return mixed

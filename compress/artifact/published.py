"""The format of the one published Deep Compression artefact, `compressed_SqueezeNet.net`.

Little endian. First the number of entries n of each layer, uint32; then for each layer a codebook
of float32 (256 for a convolution, 16 for a fully connected layer), the biases in float32, n codes
(8 bits, or 4 bits, low nibble first), and n gaps of 4 bits, low nibble first. Entry k stands at the
sum of (gap + 1) up to k, minus 1, in the flat weights. A gap of 15 with code 0, whose centroid is
0, is a filler.

Source: Han, Mao, Dally 2016, arXiv:1510.00149, sec. 2 and 3; the layout is that of Song Han's
decoder for SqueezeNet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from compress.codecs.cursor import Cursor
from compress.errors import FormatError

_CONV_BITS, _FC_BITS = 8, 4

Weights = NDArray[np.float32]


def decode(data: bytes, shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[Weights, Weights]]:
    """Yield each layer's weights, of its shape, and biases, shape `(out,)`.

    Args:
        data: the whole file.
        shapes: of the weights of all layers, in the order of the network; the first dimension
            counts the outputs.

    Raises:
        FormatError: when the bytes are not those of such layers.
    """
    cursor = Cursor(data)
    counts = np.frombuffer(cursor.take(4 * len(shapes)), "<u4").tolist()
    for shape, count in zip(shapes, counts, strict=True):
        if count > prod(shape):
            raise FormatError(f"{count} entries do not fit in a layer of shape {shape}")
        bits = _CONV_BITS if len(shape) > 2 else _FC_BITS
        codebook = np.frombuffer(cursor.take(4 << bits), "<f4")
        biases = np.frombuffer(cursor.take(4 * shape[0]), "<f4")
        codes = _fields(cursor, count, bits)
        places = np.cumsum(_fields(cursor, count, 4).astype(np.int64) + 1) - 1
        if count and places[-1] >= prod(shape):
            raise FormatError(f"the gaps run over a layer of shape {shape}")
        weights = np.zeros(prod(shape), np.float32)
        weights[places] = codebook[codes]
        yield weights.reshape(shape), biases.copy()
    cursor.finish()


def _fields(cursor: Cursor, count: int, bits: int) -> NDArray[np.uint8]:
    packed = np.frombuffer(cursor.take(-(-count * bits // 8)), np.uint8)
    if bits == 8:
        return packed
    return np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[:count]

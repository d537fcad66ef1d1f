"""Song Han's format, on layers made by hand and on the published file where it is there."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from compress.artifact import published
from compress.errors import FormatError
from tests import needs

_SHAPES = [(2, 1, 1, 3), (2, 20)]  # a convolution and a fully connected layer


def _nibbles(values: list[int]) -> bytes:
    padded = [*values, 0] if len(values) % 2 else values
    return bytes(low | high << 4 for low, high in zip(padded[::2], padded[1::2], strict=True))


def _file() -> bytes:
    conv_book, fc_book = np.zeros(256, "<f4"), np.zeros(16, "<f4")
    conv_book[[7, 200]], fc_book[3] = [0.5, -2], 1.25
    conv = conv_book.tobytes() + np.array([1, 2], "<f4").tobytes()
    conv += bytes([7, 200, 7]) + _nibbles([0, 1, 2])  # at 0, 2 and 5
    fc = fc_book.tobytes() + np.array([3, 4], "<f4").tobytes()
    fc += _nibbles([3, 0, 3]) + _nibbles([1, 15, 4])  # at 1 and 22, a filler between them
    return np.array([3, 3], "<u4").tobytes() + conv + fc


def test_layers_by_hand() -> None:
    (conv, conv_bias), (fc, fc_bias) = published.decode(_file(), _SHAPES)
    assert conv.tolist() == [[[[0.5, 0, -2]]], [[[0, 0, 0.5]]]]
    assert conv_bias.tolist() == [1, 2]
    assert np.flatnonzero(fc).tolist() == [1, 22]
    assert set(fc[fc != 0].tolist()) == {1.25}
    assert fc_bias.tolist() == [3, 4]


@pytest.mark.parametrize(
    "data",
    [_file()[:-1], _file() + b"\0", b"", b"\xff" * 8 + _file()[8:], _file()[:-2] + b"\xff\xff"],
    ids=["cut", "longer", "empty", "counts", "gaps"],
)
def test_what_is_not_such_a_file(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(published.decode(data, _SHAPES))


def test_the_published_file_bit_for_bit() -> None:
    name = "squeezenet-deep-compression"
    folder = needs.data(name) / name
    reference = json.loads((folder / "reference.json").read_text())
    layers = reference["layers"]
    data = (folder / "compressed_SqueezeNet.net").read_bytes()
    decoded = published.decode(data, [tuple(layer["weight_shape"]) for layer in layers])
    for layer, (weights, biases) in zip(layers, decoded, strict=True):
        assert hashlib.sha256(weights.tobytes()).hexdigest() == layer["weight_sha256"]
        assert hashlib.sha256(biases.tobytes()).hexdigest() == layer["bias_sha256"]

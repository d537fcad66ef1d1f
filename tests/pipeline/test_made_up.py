"""Samples that stand for data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from compress.pipeline.made_up import made_up

PHOTOGRAPHS = {
    "mode": "RGB",
    "crop": (32, 40),
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}


@dataclass(frozen=True)
class Input:
    shape: tuple[int, ...]
    name: str = "input"
    below: int | None = None


def test_images_are_those_of_the_preprocessing():
    (images,) = made_up([Input((3, 32, 40))], 20, 0, PHOTOGRAPHS)
    assert images.shape == (20, 3, 32, 40)
    assert images.dtype == np.float32
    pixels = images * np.array(PHOTOGRAPHS["std"])[:, None, None]
    pixels = 255 * (pixels + np.array(PHOTOGRAPHS["mean"])[:, None, None])
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
    assert pixels.min() > -0.5
    assert pixels.max() < 255.5
    assert 50 < pixels.std() < 80


@pytest.mark.parametrize("channels", [1, 3])
def test_neighbouring_pixels_are_alike(channels):
    (images,) = made_up([Input((channels, 24, 31))], 30, 0)
    assert abs(images.mean()) < 0.2
    assert images.std() == pytest.approx(1, abs=0.1)
    steps = np.diff(images, axis=3)
    assert steps.std() < images.std()  # of white noise it is 1.4 times as much


def test_colours_go_together():
    (images,) = made_up([Input((3, 24, 24))], 30, 0)
    table = np.corrcoef(images.transpose(1, 0, 2, 3).reshape(3, -1))
    assert (table > 0.5).all()
    assert (table[np.triu_indices(3, 1)] < 0.99).all()


def test_tokens_and_what_goes_with_them():
    wanted = [
        Input((16,), "input_ids", 100), Input((16,), "attention_mask", 2),
        Input((0,), "token_type_ids", 2),
    ]  # fmt: skip
    tokens, mask, types = made_up(wanted, 8, 0)
    assert tokens.dtype == np.int64
    assert (tokens.min() >= 0) & (tokens.max() < 100)
    assert len(np.unique(tokens)) > 50
    assert mask.all()
    assert types.shape == (8, 32)
    assert not types.any()


@pytest.mark.parametrize("shape", [(7,), (2, 9, 9), (3, 4, 50), (64, 0)])
def test_other_numbers_are_normal(shape):
    (found,) = made_up([Input(shape)], 300, 0, PHOTOGRAPHS)
    assert found.dtype == np.float32
    assert found.shape == (300, *(side or 64 for side in shape))
    assert abs(found.mean()) < 0.1
    assert found.std() == pytest.approx(1, abs=0.1)


def test_the_seed_decides():
    wanted = [Input((3, 16, 16)), Input((5,), "ids", 9)]
    first, again, other = (made_up(wanted, 3, seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

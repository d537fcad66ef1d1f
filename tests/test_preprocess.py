"""Preprocessing against torchvision's transforms, and its record's round trip."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compress.errors import FormatError, SettingsError
from compress.preprocess import Preprocessing
from tests import needs

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def picture(width: int, height: int, *, mode: str = "RGB", seed: int = 0) -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [256, 37, (40, 31), None])
@pytest.mark.parametrize("size", [(320, 240), (240, 320), (341, 255), (36, 53), (37, 37)])
def test_geometry_and_values_are_torchvisions(size, resize, resample):
    needs.module("torchvision")
    from torchvision import transforms

    ours = Preprocessing(mode="RGB", crop=(33, 28), resize=resize, resample=resample, **IMAGENET)
    steps = [] if resize is None else [transforms.Resize(resize, ours_to_theirs(resample))]
    theirs = transforms.Compose(
        [
            *steps,
            transforms.CenterCrop(ours.crop),
            transforms.ToTensor(),
            transforms.Normalize(ours.mean, ours.std),
        ]
    )
    image = picture(*size)
    expected = theirs(image).numpy()
    np.testing.assert_allclose(ours([image])[0], expected, rtol=0, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_any_size_and_crop_is_torchvisions(width, height, crop_height, crop_width):
    needs.module("torchvision")
    from torchvision.transforms import functional

    image = picture(width, height, mode="L")
    ours = Preprocessing(mode="L", crop=(crop_height, crop_width))
    expected = np.asarray(functional.center_crop(image, ours.crop))
    np.testing.assert_array_equal(ours.pixels([image])[0, ..., 0], expected)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30))
def test_the_short_side_rules(width, height, short):
    needs.module("torchvision")
    from torchvision.transforms import functional

    image = picture(width, height, mode="L")
    theirs = functional.resize(image, short)
    ours = Preprocessing(mode="L", crop=(theirs.height, theirs.width), resize=short)
    np.testing.assert_array_equal(ours.pixels([image])[0, ..., 0], np.asarray(theirs))


def ours_to_theirs(resample):
    from torchvision.transforms import InterpolationMode

    return InterpolationMode(resample)


@pytest.mark.parametrize(("mode", "shape"), [("L", (8, 8)), ("L", (8, 8, 1)), ("RGB", (8, 8, 3))])
@pytest.mark.parametrize("crop", [(8, 8), (6, 5)])
def test_arrays_and_images_are_alike(mode, shape, crop):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = Image.fromarray(array[..., 0] if shape[2:] == (1,) else array)
    ours = Preprocessing(mode=mode, crop=crop)
    np.testing.assert_array_equal(ours.pixels([array]), ours.pixels([image]))


def test_colour_becomes_grey_and_grey_becomes_colour():
    grey = Preprocessing(mode="L", crop=(4, 4)).pixels([picture(4, 4), np.zeros((4, 4, 3), "u1")])
    assert grey.shape == (2, 4, 4, 1)
    colour = Preprocessing(mode="RGB", crop=(4, 4)).pixels([picture(4, 4, mode="L")])
    assert colour.shape == (1, 4, 4, 3)
    assert (colour[..., 0] == colour[..., 2]).all()


def test_values_by_hand():
    ours = Preprocessing(mode="RGB", crop=(1, 1), scale=1.0, mean=(1, 2, 3), std=(2, 4, 8))
    values = ours.values(np.array([[[[11, 22, 43]]]], np.uint8))
    assert values.dtype == np.float32
    assert values.tolist() == [[[[5.0]], [[5.0]], [[5.0]]]]


def test_no_images_give_an_empty_batch():
    assert Preprocessing(mode="RGB", crop=(4, 5))([]).shape == (0, 3, 4, 5)


@pytest.mark.parametrize("resize", [None, 40, (40, 50)])
def test_the_record_survives_json(resize):
    ours = Preprocessing(mode="RGB", crop=(32, 24), resize=resize, **IMAGENET)
    assert Preprocessing.from_json(json.loads(json.dumps(ours.to_json()))) == ours


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "CMYK"},
        {"mode": "R\ude73"},
        {"crop": [32]},
        {"crop": [0, 32]},
        {"crop": [1 << 20, 32]},
        {"resize": "large"},
        {"resize": -1},
        {"std": [0.0]},
        {"std": [1.0, 1.0]},
        {"mean": None},
    ],
)
def test_a_broken_record_is_a_format_error(change):
    record = Preprocessing(mode="RGB", crop=(32, 24)).to_json()
    with pytest.raises(FormatError, match="preprocessing"):
        Preprocessing.from_json({**record, **change})
    with pytest.raises(FormatError):
        Preprocessing.from_json({})


def test_settings_out_of_range():
    with pytest.raises(SettingsError, match="std must be without zeros"):
        Preprocessing(mode="L", crop=(8, 8), std=(0.0,))

"""Pictures as cameras, scanners and programs write them: upright, 8 bits a channel, or refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from compress.errors import DataError
from compress.pictures import from_array, open_image, picture
from compress.preprocess import Preprocessing
from compress.tasks.pictures import Files

RAMP = np.arange(0, 252, 3, dtype=np.uint8).reshape(12, 7)  # not square, and no two pixels alike
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)
WIDE = RAMP.astype(np.uint16) * 257
GREY, RGB = (Preprocessing(mode=mode, crop=(12, 7)) for mode in ("L", "RGB"))


def seen(path: Path, record: Preprocessing = GREY) -> NDArray[np.uint8]:
    """Return what a network sees of a file: the same in a prediction and in a task."""
    task = Files((path,), np.zeros(1, np.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = record.pixels([open_image(path)])
        np.testing.assert_array_equal(record.pixels(task.images([0])), predicted)
    return predicted[0].squeeze()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "lzw.tiff", "webp", "jpg"])
def test_pictures_are_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    lying = {  # what a camera stores of a scene, by the tag's definition
        1: RAMP, 2: RAMP[:, ::-1], 3: RAMP[::-1, ::-1], 4: RAMP[::-1], 5: RAMP.T,
        6: np.rot90(RAMP), 7: RAMP[::-1, ::-1].T, 8: np.rot90(RAMP, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / f"photo.{suffix}"
    form: dict[str, Any] = {
        "webp": {"lossless": True}, "jpg": {"quality": 100}, "lzw.tiff": {"compression": "tiff_lzw"}
    }.get(suffix, {})  # fmt: skip
    Image.fromarray(np.ascontiguousarray(lying)).save(path, exif=exif, **form)
    off = np.abs(seen(path).astype(int) - RAMP)
    assert off.max() <= (2 if suffix == "jpg" else 0)


def test_damaged_exif_is_left_alone(tmp_path: Path) -> None:
    for number, exif in enumerate((b"Exif\0\0no tiff", b"Exif\0\0MM\0*\0\0\xff\xff", b"x")):
        path = tmp_path / f"{number}.png"
        Image.fromarray(RAMP).save(path, exif=exif)
        np.testing.assert_array_equal(seen(path), RAMP)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_as_eight(tmp_path: Path, name: str) -> None:
    Image.fromarray(WIDE).save(tmp_path / name)
    np.testing.assert_array_equal(seen(tmp_path / name), RAMP)
    assert (seen(tmp_path / name, RGB) == RAMP[..., None]).all()


def test_sixteen_bits_of_the_other_byte_order(tmp_path: Path) -> None:
    big = Image.frombytes("I;16B", (7, 12), WIDE.astype(">u2").tobytes())
    np.testing.assert_array_equal(GREY.pixels([big])[0, ..., 0], RAMP)


def test_floats_from_0_to_1(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.float32) / 255).save(tmp_path / "f.tif")
    np.testing.assert_array_equal(seen(tmp_path / "f.tif"), RAMP)


@pytest.mark.parametrize(
    ("mode", "off"),
    [("RGBA", 0), ("LA", 0), ("CMYK", 0), ("YCbCr", 3), ("HSV", 6), ("RGBX", 0)],
)
def test_other_colours(mode: str, off: int) -> None:
    source = Image.fromarray(RAMP if mode == "LA" else COLOUR)
    found = RGB.pixels([source.convert(mode)])[0]
    wanted = RAMP[..., None] if mode == "LA" else COLOUR
    assert np.abs(found.astype(int) - wanted).max() <= off


def test_alpha_is_dropped_as_torchvision_does(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([COLOUR, np.zeros_like(RAMP)]))
    image.save(tmp_path / "clear.png")
    np.testing.assert_array_equal(seen(tmp_path / "clear.png", RGB), COLOUR)


def test_palettes(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP).convert("P")
    image.save(tmp_path / "p.png", transparency=bytes(range(256)))
    image.save(tmp_path / "one.png", transparency=0)
    image.save(tmp_path / "p.gif")
    for name in ("p.png", "one.png", "p.gif"):
        np.testing.assert_array_equal(seen(tmp_path / name), RAMP)


def test_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(RAMP > 99).save(tmp_path / "fax.png")
    np.testing.assert_array_equal(seen(tmp_path / "fax.png"), np.where(RAMP > 99, 255, 0))


@pytest.mark.parametrize("suffix", ["gif", "tif", "png"])
def test_the_first_of_several_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frames.{suffix}"
    first, other = Image.fromarray(RAMP), Image.fromarray(RAMP[::-1].copy())
    first.save(path, save_all=True, append_images=[other])
    np.testing.assert_array_equal(seen(path), RAMP)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (WIDE.astype(np.int32), r"x\.tif has 32 bits a pixel, whose range is not known"),
        (
            RAMP.astype(np.float32),
            r"x\.tif must hold floats from 0 to 1, got float32 from 0.0 to 2",
        ),
        (np.full((12, 7), np.nan, np.float32), r"x\.tif must hold floats .* from nan to nan"),
    ],
)
def test_what_has_no_range_is_refused(tmp_path: Path, array: NDArray[Any], said: str) -> None:
    Image.fromarray(array).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=said):
        seen(tmp_path / "x.tif")


def test_a_colour_space_that_cannot_be_grey() -> None:
    with pytest.raises(DataError, match=r"^an image is in LAB, which cannot be made L: [^\n]*$"):
        GREY.pixels([Image.new("LAB", (7, 12))])


@pytest.mark.parametrize(
    "array",
    [
        RAMP, RAMP[..., None], WIDE, WIDE.astype(">u2"), np.asfortranarray(RAMP),
        RAMP.astype(np.int64), RAMP.astype(np.int8 if RAMP.max() < 128 else np.int16),
        RAMP / 255, (RAMP / 255).astype(">f4"), np.repeat(RAMP, 2, 1)[:, ::2],
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)  # fmt: skip
def test_arrays_of_other_types_and_orders(array: NDArray[Any]) -> None:
    np.testing.assert_array_equal(from_array(array), RAMP)
    np.testing.assert_array_equal(GREY.pixels([array])[0, ..., 0], RAMP)


def test_arrays_of_truth_values_and_with_alpha() -> None:
    np.testing.assert_array_equal(from_array(RAMP > 99), np.where(RAMP > 99, 255, 0))
    four = np.dstack([COLOUR, RAMP])
    np.testing.assert_array_equal(RGB.pixels([four])[0], COLOUR)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (COLOUR.transpose(2, 0, 1), r"got \(3, 12, 7\); its channels come first: give numpy.move"),
        (np.zeros((4, 5, 6, 3), np.uint8), r"an image must have the shape .* got \(4, 5, 6, 3\)$"),
        (np.zeros((4, 5, 2), np.uint8), r"got \(4, 5, 2\)"),
        (np.zeros((0, 5), np.uint8), r"got \(0, 5\)"),
        (np.zeros(9, np.uint8), r"got \(9,\)"),
        (RAMP.astype(float), "must hold floats from 0 to 1, got float64 from 0.0 to 249.0"),
        (RAMP.astype(int) - 9, "must hold integers from 0 to 255, .* got int64 from -9 to 240"),
        (RAMP.astype(complex), "must hold integers"),
        (np.full((2, 2), np.inf), "must hold floats from 0 to 1"),
    ],
)
def test_arrays_that_are_no_images(array: NDArray[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        picture(array, "RGB")


def test_a_file_opens_or_is_named(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    for name, data in (("cut.png", whole[:60]), ("empty.png", b""), ("text.jpg", b"a letter")):
        (tmp_path / name).write_bytes(data)
    for name in ("cut.png", "empty.png", "text.jpg", "none.png"):
        with pytest.raises(DataError, match=rf"^[^\n]*{name} is not a readable image: [^\n<]+$"):
            open_image(tmp_path / name)


def test_a_picture_of_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)  # Pillow warns here, and stops at twice it
    small = Preprocessing(mode="RGB", crop=(6, 7))  # before Pillow 13 a large crop warns, too
    np.testing.assert_array_equal(seen(tmp_path / "large.png", small), COLOUR[3:9])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(DataError, match=r"large\.png is not a readable image: .* pixels"):
        open_image(tmp_path / "large.png")

import numpy as np

from compress.tasks.pictures import Arrays


def test_digest_is_of_pixels_and_labels() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    labels = np.array([0, 1, 1])
    first = Arrays(pixels, labels).digest()
    assert Arrays(pixels.copy(order="F"), labels.copy()).digest() == first
    other = pixels.copy()
    other[2, 3, 3] ^= 1
    digests = {
        first,
        Arrays(other, labels).digest(),
        Arrays(pixels, labels[::-1]).digest(),
        Arrays(pixels.reshape(3, 2, 8), labels).digest(),
    }
    assert len(digests) == 4
    assert Arrays(pixels, labels).digest([0, 1, 2]) == first
    assert Arrays(other, labels).digest([1, 0]) == Arrays(pixels, labels).digest([1, 0])
    assert Arrays(other, labels).digest([2]) != Arrays(pixels, labels).digest([2])

"""Byte planes against items put together one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.kernels import planes

WIDTHS = (1, 2, 4, 8)


def plain_join(rows, turned):
    """Return the items of some planes, lowest bytes first."""
    n_bits = 8 * len(rows)
    items = [int.from_bytes(bytes(item), "little") for item in zip(*rows, strict=True)]
    return [item >> 1 | (item & 1) << (n_bits - 1) for item in items] if turned else items


@given(st.sampled_from(WIDTHS), st.integers(0, 40), st.booleans(), st.data())
def test_items_are_put_together(width, count, turned, data):
    rows = [data.draw(st.binary(min_size=count, max_size=count)) for _ in range(width)]
    out = np.full(count, 0xA5, f"<u{width}")
    planes.join([np.frombuffer(row, np.uint8) for row in rows], out, turned=turned)
    assert out.tolist() == plain_join(rows, turned)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_sign_and_the_lowest_bit_of_turned_items(width):
    """Turned to the left, the sign bit stands lowest: 1 is the sign alone."""
    rows = [np.array([1 if i == 0 else 0, 2 if i == 0 else 0], np.uint8) for i in range(width)]
    out = np.empty(2, f"<u{width}")
    planes.join(rows, out, turned=True)
    assert out.tolist() == [1 << (8 * width - 1), 1]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_part_of_a_longer_array_is_written_and_nothing_else(width, turned):
    rng = np.random.default_rng(width)
    rows = list(rng.integers(0, 256, (width, 30), np.uint8))
    whole = np.full(50, 7, f"<u{width}")
    planes.join(rows, whole[10:40], turned=turned)
    assert whole[10:40].tolist() == plain_join([bytes(row) for row in rows], turned)
    assert set(whole[:10].tolist() + whole[40:].tolist()) == {7}


@pytest.mark.parametrize("width", WIDTHS)
def test_planes_are_left_as_they_are(width):
    rows = [np.arange(9, dtype=np.uint8) + i for i in range(width)]
    planes.join(rows, np.empty(9, f"<u{width}"), turned=True)
    for i, row in enumerate(rows):
        assert row.flags.writeable
        assert row.tolist() == list(range(i, i + 9))

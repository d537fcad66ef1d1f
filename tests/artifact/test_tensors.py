"""Forms of one tensor: any items come back, any bytes are a tensor or a FormatError."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.artifact import tensors
from compress.artifact.values import Item
from compress.codecs.cursor import Cursor, varint
from compress.errors import FormatError
from tests.artifact import reader
from tests.artifact.models import items as draw_items

ITEMS = [Item(width, is_float) for width, is_float in reader.POOLS]
shapes = st.lists(st.integers(1, 30), max_size=3).map(tuple)


def decode(data, item, shape):
    """Decode a tensor that takes all of `data`."""
    cursor = Cursor(data)
    count = math.prod(shape)
    coded = tensors.read(cursor, item, shape, count)
    cursor.finish()
    assert coded.ledger.total() == len(data)
    out = np.empty(count, item.dtype)
    coded.decode_into(out)
    return coded, out


def plain_decode(data, item, shape):
    source = reader.Bytes(data)
    count = math.prod(shape)
    out = reader.tensor_items(source, list(shape), count, item.width, item.is_float, [])
    reader.must(source.is_empty(), "bytes left over")
    return out


def agreed(data, item, shape):
    """Decode with both readers; None where both refuse."""
    try:
        plain = plain_decode(data, item, shape)
    except reader.RefusedError:
        plain = None
    try:
        _, out = decode(data, item, shape)
    except FormatError:
        assert plain is None
        return None
    assert out.tolist() == plain
    return out


@given(st.sampled_from(ITEMS), shapes, st.data())
def test_any_items_come_back(item, shape, data):
    items = data.draw(draw_items(min(math.prod(shape), 3000), item.width, item.is_float))
    shape = shape if len(items) == math.prod(shape) else (len(items),)
    mixes = data.draw(st.booleans())
    plan = tensors.plan(items, item, shape, mixes=mixes)
    coded = plan.build()
    found, out = decode(coded, item, shape)
    np.testing.assert_array_equal(out, items)
    assert agreed(coded, item, shape) is not None
    assert len(coded) == plan.n_bytes
    if mixes:
        assert len(coded) <= tensors.plan(items, item, shape).n_bytes
    # At most kind and width of a stream for each plane, more than the items themselves take.
    assert len(coded) <= items.nbytes + 2 * item.width + 7
    assert found.form


heads = st.integers(0, 33).map(lambda head: bytes([head]))
parts = st.one_of(
    st.integers(0, 70).map(varint),
    st.sampled_from([b"\0\0", b"\0\1", b"\1\1", b"\1\3", b"\2\2\1", b"\2\3\x0b\0"]),
    st.binary(max_size=6),
)


@given(st.sampled_from(ITEMS[:2] + ITEMS[4:5]), shapes, heads, st.lists(parts, max_size=12))
def test_any_bytes_are_a_tensor_or_a_format_error(item, shape, head, rest):
    agreed(head + b"".join(rest), item, shape)


@given(st.sampled_from(ITEMS), st.data())
def test_damaged_bytes_are_a_tensor_or_a_format_error(item, data):
    shape = data.draw(st.sampled_from([(12, 9), (108,), (4, 3, 9)]))
    items = data.draw(draw_items(108, item.width, item.is_float))
    mixes = data.draw(st.booleans())
    coded = bytearray(tensors.plan(items, item, shape, mixes=mixes).build())
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(coded)))
        coded[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    agreed(bytes(coded), item, shape)


BYTE = Item(1, is_float=False)
HUGE = varint((1 << 63) - 1)
ZEROS = b"\0\0"  # a constant stream


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x03", "form 3"),
        (b"\x10", "form 16"),
        (b"\x20", "form 32"),
        (b"\x04" + ZEROS, "form 4"),  # transposed, but all positions
        (b"\x02" + HUGE, "nonzeros do not fit"),
        (b"\x01\x05\x00", "1 to 16 bits"),
        (b"\x01\x05\x11", "1 to 16 bits"),
        (b"\x01\x05\x03" + HUGE, "gaps do not fit"),
        (b"\x01\x05\x03" + varint(5 + 64 // 7 + 1), "gaps do not fit"),
        (b"\x01\x02\x03\x03\x01\x03\xc0\x01" + ZEROS, "gaps of a tensor"),  # 0, 0, filler
        (b"\x01\x02\x03\x02\x00\x08" + ZEROS, "gaps of a tensor"),  # above the filler
        (b"\x02\x08\x00\x03" + ZEROS, "bit mask"),  # 16 bits set
        (b"\x02\x08\x00" + varint(257) + ZEROS, "alphabet above 256"),
        (b"\x08\x00", "codebook of 0"),
        (b"\x08" + HUGE, "codebook of"),
        (b"\x08\x41", "codebook of 65"),
        (b"\x0f\x02\x01\x08\x04\x05\x00\x00\x00", "go on with those of none"),
        (b"\x0b\x02\x01\x08\x04\x05\x03\x00\x00", "no levels 3, 0"),
        (b"\x0b\x02\x01\x08\x04\x05\x00\x02\x00", "no levels 0, 2"),
        (b"\x0b\x02\x01\x08\x04\x05\x00\x00\x05" + 5 * b"\xff", "are not 64 levels"),
        (b"\x0b\x02\x01\x08\x04\x05\x00\x00" + HUGE, "wanted"),
        (b"\x18\x02\x00\x03\xff\xff\xff" + ZEROS, "are not 2 ascending numbers"),
        (b"\x18\x02\x08\x03", "cannot end in 8"),
        (b"\x18\x02\x00" + HUGE, "wanted"),
        (b"\x08\x02\x00\x05" + ZEROS, "not ascending"),
        (b"\x08\x02\x01\x08\x05\x04" + ZEROS, "not ascending"),
        (b"\x08\x02\x01\x08\x04\x05\x00\x02", "not in its codebook"),
        (b"\x00\x01\x09" + bytes(72), "alphabet above 256"),
        (b"\x00\x00\x05\x00", "left over"),
    ],
)
def test_broken_tensors(data, what):
    with pytest.raises(FormatError, match=what):
        decode(data, BYTE, (64,))
    assert agreed(data, BYTE, (64,)) is None


@pytest.mark.parametrize(
    ("shape", "ok"), [((8, 8), True), ((64,), False), ((1, 64), False), ((64, 1), False)]
)
def test_a_transposed_scan_needs_two_axes(shape, ok):
    data = b"\x05\x01\x0a\x01\x00\x01\x00\x07"  # one nonzero, gaps of 10 bits: [1]
    out = agreed(data, BYTE, shape)
    assert (out is not None) is ok
    if ok:
        assert np.flatnonzero(out).tolist() == [8]


def test_a_shape_that_packed_elements_do_not_divide():
    """Sixty-seven bytes of 4-bit elements, shape (7, 19), have no transposed scan."""
    items = np.zeros(67, np.uint8)
    items[5] = 3
    coded = tensors.encode(items, BYTE, (7, 19))
    found = tensors.read(Cursor(coded), BYTE, (7, 19), 67)
    assert found.columns == 1
    with pytest.raises(FormatError, match="no form"):
        tensors.read(Cursor(bytes([coded[0] | 4]) + coded[1:]), BYTE, (7, 19), 67)


def test_the_smallest_form_is_taken():
    rng = np.random.default_rng(0)
    item = Item(4, is_float=True)

    def form(array):
        items = np.float32(array).reshape(-1).view("<u4")
        return decode(tensors.encode(items, item, array.shape), item, array.shape)[0].form

    dense, few = rng.normal(size=(64, 50)), rng.choice([1.0, 2.0, 5.0], (64, 50))
    sparse = rng.random((64, 50)) < 0.05
    assert form(dense) == "dense"
    assert form(few) == "3 centroids"
    assert form(np.where(sparse, dense, 0)).startswith("dense, gaps of ")
    assert form(np.where(rng.random((64, 50)) < 0.5, dense, 0)) == "dense, mask"
    assert form(few * sparse).startswith("3 centroids, gaps of ")
    assert form(few * (np.arange(50) % 5 < 2)).endswith("mask, transposed")


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_codes_take_their_entropy(width):
    """Five-bit codes of uneven frequency cost no more than 3% above their entropy."""
    rng = np.random.default_rng(0)
    p = np.exp(-0.5 * np.linspace(-2.5, 2.5, 32) ** 2)
    book = np.sort(rng.choice(200, 32, replace=False)).astype(f"<u{width}")
    items = book[rng.choice(32, 200_000, p=p / p.sum())]
    items[items == 0] = 1
    counts = np.unique(items, return_counts=True)[1]
    entropy_bytes = -(counts * np.log2(counts / len(items))).sum() / 8
    coded = tensors.encode(items, Item(width, is_float=False), (len(items),))
    assert entropy_bytes < len(coded) < 1.03 * entropy_bytes


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.resize([1, 2, 3, 4], 4000), "4 centroids"),
        (np.full(4000, 1), "1 centroid"),
        (np.arange(1, 32) / 31, "31 sorted values"),  # BatchNorm: all differ, nothing is shared
    ],
)
def test_a_form_tells_what_is_stored(values, words):
    items = values.astype("<f4").view("<u4")
    data = tensors.encode(items, Item(4, True), items.shape)
    assert decode(data, Item(4, True), items.shape)[0].form == words

"""Mixed levels and steps against the plain reader of SPEC.md, and what a caller may rely on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.kernels import mixing
from tests.artifact import reader

ROOM = 1 << 12  # bytes, enough for what is coded here


def encoded(codes, zero, columns, kernel, model):
    out = np.empty(ROOM, np.uint8)
    size = mixing.encode(codes, zero, columns, kernel, model, out)
    assert size >= 0
    return out[:size].copy()


def decoded(data, zero, n_codes, columns, kernel, model, count):
    """Return the codes; None where `data` is not theirs."""
    out = np.empty(count, np.uint16)
    return out if mixing.decode(data, zero, n_codes, columns, kernel, model, out) else None


def plain_levels(data, zero, n_codes, columns, kernel, model, count):
    """Return the codes as the plain reader reads them; None where it refuses."""
    bits = reader.Interval(bytes(data))
    try:
        levels = model.levels(bits, count, columns, kernel, range(-zero, n_codes - zero))
        bits.finish()
    except reader.RefusedError:
        return None
    return [level + zero for level in levels]


def seen(model):
    """Return the mixed counters that have learned: (decision, context, value) -> chance, seen."""
    places = np.flatnonzero(model.seen)
    places = zip(places, model.chance[places], model.seen[places], strict=True)
    shape = (mixing.N_CONTEXTS, mixing._CLASSES**2, mixing._MIXED)
    return {
        (int(d), int(i), int(c)): (int(p), int(t))
        for place, p, t in places
        for i, c, d in [np.unravel_index(place, shape)]
    }


@st.composite
def tensors(draw):
    """Draw codes, those of neighbours alike more often than not, with their layout."""
    n_codes = draw(st.sampled_from([1, 2, 5, 40, 300, 4096]))
    zero, kernel = draw(st.integers(0, n_codes - 1)), draw(st.integers(1, 4))
    columns = kernel * draw(st.integers(1, 6))
    one = st.integers(0, n_codes - 1)
    codes = draw(st.lists(st.one_of(st.just(zero), one), min_size=1, max_size=60))
    return np.array(codes, np.uint16), zero, n_codes, columns, kernel


@given(tensors())
def test_levels_are_those_of_the_plain_reader(tensor):
    codes, zero, n_codes, columns, kernel = tensor
    layout = (zero, n_codes, columns, kernel)
    taught, learned, plain = mixing.fresh_model(), mixing.fresh_model(), reader.Model()
    for _ in range(2):  # the second time with what was learned the first time
        data = encoded(codes, zero, columns, kernel, taught)
        assert decoded(data, *layout, learned, len(codes)).tolist() == codes.tolist()
        assert plain_levels(data, *layout, plain, len(codes)) == codes.tolist()
    for one, other in zip(taught, learned, strict=True):
        np.testing.assert_array_equal(one, other)
    assert taught.weights.tolist() == plain.weights
    mixed = {key: (c.p, c.t) for key, c in plain.counters.items() if len(key) == 3}
    assert seen(taught) == mixed
    for (n_bits, prefix), counter in (pair for pair in plain.counters.items() if len(pair[0]) == 2):
        place = (n_bits << mixing._TREE_BITS) + prefix
        assert (taught.tree_chance[place], taught.tree_seen[place]) == (counter.p, counter.t)


@given(tensors(), st.binary(max_size=12))
def test_any_bytes_are_what_the_plain_reader_takes_them_for(tensor, data):
    codes, *layout = tensor
    array = np.frombuffer(data, np.uint8).copy()
    found = decoded(array, *layout, mixing.fresh_model(), len(codes))
    plain = plain_levels(data, *layout, reader.Model(), len(codes))
    assert (None if found is None else found.tolist()) == plain


@given(tensors())
def test_room_that_does_not_do_is_told(tensor):
    codes, zero, _, columns, kernel = tensor
    size = len(encoded(codes, zero, columns, kernel, mixing.fresh_model()))
    for room in {0, 1, size - 1} & set(range(size)):
        out = np.empty(room, np.uint8)
        assert mixing.encode(codes, zero, columns, kernel, mixing.fresh_model(), out) == -1
    out = np.empty(size, np.uint8)
    assert mixing.encode(codes, zero, columns, kernel, mixing.fresh_model(), out) == size


def test_a_copy_learns_on_its_own():
    model = mixing.fresh_model()
    codes = np.arange(60, dtype=np.uint16) % 5
    first = encoded(codes, 2, 6, 1, mixing.copy_model(model))
    assert all(map(np.array_equal, model, mixing.fresh_model()))
    taught = encoded(codes, 2, 6, 1, model)
    assert bytes(taught) == bytes(first)
    assert len(encoded(codes, 2, 6, 1, model)) < len(first)


def test_tables_are_those_of_the_format():
    assert mixing._STRETCH.tolist() == reader.STRETCH
    assert mixing._SQUASH.tolist() == [reader.squash(x) for x in range(-3071, 3072)]
    assert mixing._RATE.tolist() == [655360 // (10 * t + 16) for t in range(255)]


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (3, 3), (4, 4), (5, 4), (6, 5), (7, 5), (8, 6), (255, 15)]
)
def test_classes_are_two_to_an_octave(size, expected):
    assert mixing._class_of(np.int64(size)) == reader.size_class(size) == expected


@st.composite
def rising(draw):
    n_bits = draw(st.integers(1, 32))
    items = draw(st.sets(st.integers(0, (1 << n_bits) - 1), max_size=60))
    if draw(st.booleans()):  # a run, whose steps are all alike
        items = set(range(min(300, 1 << n_bits)))
    return np.array(sorted(items), np.int64), n_bits


@given(rising())
def test_steps_are_those_of_the_plain_reader(numbers):
    items, n_bits = numbers
    out = np.empty(ROOM, np.uint8)
    size = mixing.encode_rising(items, n_bits, out)
    data = out[:size].copy()
    found = np.empty(len(items), np.int64)
    assert mixing.decode_rising(data, n_bits, found)
    assert found.tolist() == items.tolist() == reader.steps(bytes(data), len(items), n_bits)
    if size:
        assert mixing.encode_rising(items, n_bits, out[: size - 1]) == -1


@given(st.binary(max_size=12), st.integers(0, 40), st.integers(1, 32))
def test_any_bytes_are_the_steps_that_the_plain_reader_sees(data, count, n_bits):
    try:
        plain = reader.steps(data, count, n_bits)
    except reader.RefusedError:
        plain = None
    found = np.empty(count, np.int64)
    ok = mixing.decode_rising(np.frombuffer(data, np.uint8).copy(), n_bits, found)
    assert (found.tolist() if ok else None) == plain

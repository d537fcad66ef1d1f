"""Numbers and byte strings, read step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.codecs.cursor import Cursor, varint
from compress.errors import FormatError


@given(st.integers(0, 2**63 - 1))
def test_numbers_survive_and_have_one_form(value):
    coded = varint(value)
    cursor = Cursor(coded + b"x")
    assert cursor.varint() == value
    assert cursor.peek() == cursor.byte() == ord("x")
    cursor.finish()
    longer = coded[:-1] + bytes([coded[-1] | 128, 0])
    with pytest.raises(FormatError):
        Cursor(longer).varint()


@pytest.mark.parametrize(("value", "coded"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_goldens(value, coded):
    assert varint(value).hex() == coded


@given(st.binary(max_size=12))
def test_any_bytes_are_a_number_or_a_format_error(data):
    cursor = Cursor(data)
    try:
        value = cursor.varint()
    except FormatError:
        return
    assert 0 <= value < 1 << 63
    assert varint(value) == data[: cursor.at]


def test_steps_stay_within_the_bytes():
    cursor = Cursor(b"abc")
    assert bytes(cursor.take(2)) == b"ab"
    with pytest.raises(FormatError, match="2 bytes wanted, 1 left"):
        cursor.take(2)
    with pytest.raises(FormatError, match="1 bytes are left over"):
        cursor.finish()
    cursor.byte()
    for step in (cursor.byte, cursor.peek, cursor.varint):
        with pytest.raises(FormatError):
            step()
    assert bytes(cursor.take(0)) == b""

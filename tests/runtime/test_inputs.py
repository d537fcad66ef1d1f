"""Arrays as people have them: converted where nothing is lost, else refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import DataError
from compress.runtime.inputs import Value, fitted

FLOAT, HALF, IDS, BYTES, FLAG, WORDS = (
    f"tensor({kind})" for kind in ("float", "float16", "int64", "uint8", "bool", "string")
)
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def one(given, kind):
    return fitted({"x": given}, [Value("x", kind, (2, 3))])["x"]


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        np.asfortranarray(ROWS),
        ROWS.astype(">f4"),
        ROWS.astype(np.float64),
        ROWS.astype(">f8"),
        ROWS.astype(np.float16),
        ROWS.astype(np.int64),
        ROWS.astype(np.uint8),
        ROWS.tolist(),
        np.repeat(ROWS, 2, 1)[:, ::2],
        ROWS[::-1, ::-1][::-1, ::-1],
        np.ma.masked_array(ROWS, mask=False),
    ],
)
@pytest.mark.parametrize("kind", [FLOAT, HALF])
def test_layouts_and_types_that_mean_the_same(given, kind):
    found = one(given, kind)
    assert found.dtype == {FLOAT: np.float32, HALF: np.float16}[kind]
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, ROWS)


def test_what_fits_is_not_copied_and_a_number_stays_one():
    assert one(ROWS, FLOAT) is ROWS
    ROWS.flags.writeable = False
    assert one(ROWS, FLOAT) is ROWS
    ROWS.flags.writeable = True
    assert one(2.5, FLOAT).shape == ()
    assert one([], IDS).shape == (0,)


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        ([np.nan, np.inf, 1e-300], FLOAT, np.float32([np.nan, np.inf, 0])),
        (np.int32([1, -2]), IDS, np.int64([1, -2])),
        (np.uint64([1, 2]), IDS, np.int64([1, 2])),
        (np.int64([0, 255]), BYTES, np.uint8([0, 255])),
        ([True, False], BYTES, np.uint8([1, 0])),
        ([True, False], FLAG, np.array([True, False])),
        (["a", "bc"], WORDS, np.array(["a", "bc"], object)),
        (np.array([b"a", "é".encode()]), WORDS, np.array(["a", "é"], object)),
    ],
)
def test_values_keep_their_meaning(given, kind, expected):
    found = one(given, kind)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (np.float64([1, 1e39]), FLOAT, r"tensor\(float\), got float64 with the value 1e\+39"),
        (np.int64([70_000]), HALF, "got int64 with the value 70000"),
        (np.int64([256]), BYTES, r"got int64 with values in \[256, 256\]"),
        (np.int8([-1, 1]), BYTES, r"got int8 with values in \[-1, 1\]"),
        (np.uint64([1 << 63]), IDS, "got uint64 with values in"),
        (np.float32([1]), IDS, r"tensor\(int64\), got float32"),
        (np.int64([1]), FLAG, "got int64"),
        (np.complex64([1]), FLOAT, "got complex64"),
        (np.array([1], "m8[s]"), IDS, "got timedelta64"),
        (np.array([(1, 2.0)], "i4,f4"), FLOAT, "got "),
        (["1"], FLOAT, "got <U1"),
        ([1, None], FLOAT, "got object"),
        ([{}], FLOAT, "got object"),
        ([1, "a", None], WORDS, "got object"),
        ([1.5], WORDS, "got float64"),
        (None, FLOAT, "must be an array, got None"),
        ([[1, 2], [3]], FLOAT, "is no array"),
        (np.ma.masked_array(ROWS, mask=ROWS > 2), FLOAT, "masked"),
    ],
)
def test_what_would_lose_its_meaning_is_refused(given, kind, message):
    with pytest.raises(DataError, match=f"the input 'x' .*{message}") as found:
        one(given, kind)
    assert "\n" not in str(found.value)


def test_names():
    wanted = [Value("x", FLOAT, ()), Value("mask", "optional(tensor(float))", ())]
    more = [Value("w", FLOAT, ())]
    with pytest.raises(DataError, match="no input 'y'; its inputs are 'x', 'mask'"):
        fitted({"x": 1, "y": 1}, wanted, more)
    with pytest.raises(DataError, match="the input 'x' is missing"):
        fitted({"w": 1}, wanted, more)
    assert fitted({"x": 1, "w": 2}, wanted, more) == {"x": 1, "w": 2}


def test_what_is_no_plain_tensor_is_handed_on():
    given = [ROWS]
    assert one(given, "seq(tensor(float))") is given

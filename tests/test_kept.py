"""Files that carry their digest: every damage is told, and they stay what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from compress import kept
from compress.errors import DataError

RECORD = {"seconds": 0.5, "accuracy": {"test": 1}, "words": 'a "sha256":"0" and é'}


def test_a_record_comes_back_and_is_json(tmp_path: Path) -> None:
    path = tmp_path / "dense.json"
    kept.write_record(path, RECORD)
    assert kept.read_record(path) == RECORD
    assert json.loads(path.read_bytes())["record"] == RECORD
    again = tmp_path / "again.json"
    kept.write_record(again, RECORD)
    assert again.read_bytes() == path.read_bytes()


def test_arrays_stay_a_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "arrays.safetensors"
    kept.write(path, save({"a": np.arange(5)}, {**kept.ROOM, "more": '"sha256":"'}))
    kept.read(path)
    assert load_file(path)["a"].tolist() == [0, 1, 2, 3, 4]


@given(st.data())
def test_any_other_byte_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("kept") / "dense.json"
    kept.write_record(path, RECORD)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :])
    with pytest.raises(DataError, match="damaged"):
        kept.read_record(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"a": ', b"\xff", b"null", b'{"sha256":"%s"}' % (b"0" * 64)],
)
def test_what_is_no_record_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dense.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        kept.read_record(path)


def test_another_kind_of_file_with_its_digest_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "dense.json"
    for text in ('{"sha256":"%s"}', '[{"sha256":"%s"}]', '{"sha256":"%s","record":[]}'):
        kept.write(path, (text % ("0" * 64)).encode())
        with pytest.raises(DataError, match="of another version"):
            kept.read_record(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            kept.read(path)
        assert kept.digest_of(path) is None

"""Columns of tasks' files."""

from __future__ import annotations

from pathlib import Path

import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.tables import columns

KINDS = {"text": str, "label": int}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_columns_are_found_by_name(tmp_path: Path, mark: str) -> None:
    path = written(tmp_path, f"{mark}label,text,other\n1,one,x\n0,two,y\n")
    assert columns("toy", path, KINDS) == (["one", "two"], [1, 0])


@pytest.mark.parametrize(
    "text", ["label,text\n1\n", "text,label\none\n", "text\none\n", "text,label\none,x\n"]
)
def test_what_is_no_such_table(tmp_path: Path, text: str) -> None:
    with pytest.raises(ZooError, match=r"a\.csv must have the columns text and label: "):
        columns("toy", written(tmp_path, text), KINDS)


def test_one_column(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="must have the columns z: "):
        columns("toy", written(tmp_path, "a\n1\n"), {"z": int})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"toy: .*a\.csv cannot be read: No such file"):
        columns("toy", tmp_path / "a.csv", KINDS)

"""Tasks by name, of a file or of a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.errors import CompressError, SettingsError
from compress.references import resolve_task

FILE = """
import numpy as np
from compress.tasks import Arrays, Task
part = (np.zeros((4, 3), np.float32), np.arange(4))
data = Arrays(test=part, name="mine")
def made(): return data
def rooted(root): return Arrays(test=part, name=root.name)
def asks(size): return data
def fails(): raise ValueError("no data")
number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(FILE)
    return str(tmp_path / "own.py")


def test_a_task_of_the_zoo(tmp_path: Path) -> None:
    assert resolve_task("mnist", tmp_path).name == "mnist"
    with pytest.raises(CompressError, match=r"task must be a known name, got 'mnits'; .*mnist"):
        resolve_task("mnits", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"), [("data", "mine"), ("made", "mine"), ("rooted", "there")]
)
def test_a_task_of_ones_own(file: str, name: str, expected: str) -> None:
    assert resolve_task(f"{file}:{name}", Path("there")).name == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asks", "with no argument but root, it asks for size"),
        ("fails", r"own.py, line 9: ValueError: no data"),
        ("number", r"must be a compress.tasks.Task, or a function that returns one, got int"),
        ("dta", r"the nearest are data"),
        ("Task", "Abstract|abstract|must be"),
    ],
)
def test_what_goes_wrong_is_one_line(file: str, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        resolve_task(f"{file}:{name}", Path())
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match="task must name a module that is installed or in this"):
        resolve_task("no_such:task", Path())

"""Classes of some data found among a network's, by name."""

from __future__ import annotations

import pytest

from compress.errors import DataError
from compress.measure.classes import class_numbers


@pytest.mark.parametrize(
    ("data", "known", "numbers"),
    [
        (["cat", "dog"], ["cat", "dog"], [0, 1]),
        (["cat", "dog"], ["dog", "cat"], [1, 0]),
        (["dog"], ["ant", "cat", "dog"], [2]),
        (["cafe\u0301"], ["tea", "caf\u00e9"], [1]),
        (["crane", "crane"], ["crane", "crane"], [0, 1]),  # ImageNet's bird and machine
        (["cat", "unused"], ["ant", "cat"], [1, 0]),
    ],
)
def test_names_decide(data: list[str], known: list[str], numbers: list[int]) -> None:
    used = [place for place, name in enumerate(data) if name != "unused"]
    assert class_numbers(data, known, used).tolist() == numbers


@pytest.mark.parametrize(
    ("data", "known", "said"),
    [
        (
            ["cat", "emu"],
            ["cat", "dog"],
            r"class 'emu' of the data is none of the file's 2 \('cat', ",
        ),
        (["Cat"], ["cat"], r"class 'Cat' .* call the classes of both alike$"),
        (["n01"], list("abcdef"), r"\('a', 'b', 'c', 'd', \.\.\.\)"),
        (["crane"], ["crane", "crane"], "class 'crane' stands for 2 of the file's 2 classes"),
    ],
)
def test_names_that_do_not_fit(data: list[str], known: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        class_numbers(data, known, range(len(data)))

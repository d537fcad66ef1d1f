"""Classes of some data and of a network, told apart by their names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

_SHOWN = 4  # names that a message tells


def class_numbers(
    data: Sequence[str], known: Sequence[str], used: Iterable[int]
) -> NDArray[np.int64]:
    """Return the number that a network gives each class of some data, by its name.

    Accents count alike however they are written (Unicode's NFC and NFD).

    Args:
        data: names of the data's classes, by number.
        known: names of the network's classes, by number.
        used: numbers of the data's classes that have samples; the others get any number.

    Raises:
        DataError: when the network has no class of a name, or more than one.

    >>> class_numbers(["cat", "dog"], ["ape", "dog", "cat"], [0, 1])
    array([2, 1])
    """
    ours, theirs = _normal(data), _normal(known)
    if ours == theirs:
        return np.arange(len(ours))
    places = {name: place for place, name in enumerate(theirs)}
    times = Counter(theirs)
    numbers = np.zeros(len(ours), np.int64)
    for place in used:
        name = ours[place]
        if name not in places:
            more = ", ..." if len(theirs) > _SHOWN else ""
            raise DataError(
                f"class {name!r} of the data is none of the file's {len(theirs)} "
                f"({', '.join(map(repr, theirs[:_SHOWN]))}{more}); call the classes of both alike"
            )
        if times[name] > 1:
            raise DataError(
                f"class {name!r} stands for {times[name]} of the file's {len(theirs)} classes; "
                "give the data all of them, in the file's order"
            )
        numbers[place] = places[name]
    return numbers


def _normal(names: Sequence[str]) -> list[str]:
    return [unicodedata.normalize("NFC", name) for name in names]

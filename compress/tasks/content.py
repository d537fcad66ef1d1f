"""Digests of what samples hold, and of code that a user writes."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_of(arrays: Iterable[NDArray[Any]]) -> str:
    """Digest arrays: types, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def code_of(what: Any) -> str:  # noqa: ANN401  (a function, a class, or what is called like one)
    """Digest the source of a function or class; what has none is told by its `repr`.

    What it calls is not looked at.
    """
    try:
        told = inspect.getsource(what)
    except (OSError, TypeError):
        told = re.sub(r"0x[0-9a-f]+", "", repr(what))
    return hashlib.sha256(told.encode()).hexdigest()

"""Settings of a packing. It imports no numba, so that a recipe is read without it."""

from __future__ import annotations

from typing import Literal

Coder = Literal["huffman", "best"]

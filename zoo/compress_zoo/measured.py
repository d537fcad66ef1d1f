"""Sizes of compressed files that were measured: random weights, 90% zeros, 5 bits, Huffman.

The figures are a copy of those in benchmarks/results/zoo.csv, written with them.
"""

from __future__ import annotations

import csv
from importlib import resources

SETTING = "90% zeros, 5 bits"


def file_bytes() -> dict[str, int]:
    """Return the size of the compressed file by the name of the row."""
    text = resources.files("compress_zoo").joinpath("measured.csv").read_text(encoding="utf-8")
    return {row["name"]: int(row["file_bytes"]) for row in csv.DictReader(text.splitlines())}

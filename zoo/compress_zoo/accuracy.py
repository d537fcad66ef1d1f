"""What the libraries tell of their weights' accuracy on ImageNet's validation part: one crop, top-1.

The figures are a copy of torchvision's own (`Weights.meta["_metrics"]`), so that they are told where
it is not installed; timm and transformers tell none in their packages. They are made by
`python -m benchmarks.tables.zoo_accuracy`, and a test reads them from torchvision again.
"""

from __future__ import annotations

import csv
from importlib import resources


def top1() -> dict[str, float]:
    """Return the published accuracy, in [0, 1], by the name of the row."""
    text = resources.files("compress_zoo").joinpath("accuracy.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"]: round(float(row["top1_percent"]) / 100, 5) for row in rows}

"""The accuracy that torchvision tells of the weights of the zoo's rows: no measurement of ours.

    python -m benchmarks.tables.zoo_accuracy [--check]

Writes `compress_zoo/accuracy.csv`, which `compress zoo` shows; with `--check` it says whether the
file is what torchvision tells now.
"""

from __future__ import annotations

import sys
from pathlib import Path

import compress_zoo
from compress_zoo import registry

from compress.files import write_text

METRIC = "ImageNet-1K acc@1"  # as `Entry.origin` calls it


def text() -> str:
    """Return the file's text."""
    lines = ["name,top1_percent"]
    for entry in registry.entries(source="torchvision"):
        metrics = entry.origin.metrics if entry.origin is not None else {}
        if METRIC in metrics:
            lines.append(f"{entry.name},{metrics[METRIC]:g}")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the file, or check it."""
    assert compress_zoo.__file__ is not None
    path = Path(compress_zoo.__file__).with_name("accuracy.csv")
    if "--check" not in sys.argv[1:]:
        write_text(path, text())
    elif path.read_text(encoding="utf-8") != text():
        sys.exit(f"{path} is not what torchvision tells: python -m benchmarks.tables.zoo_accuracy")


if __name__ == "__main__":
    main()

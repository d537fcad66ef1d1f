"""The one published Deep Compression artefact in our file, by coder.

    python -m benchmarks.tables.published compressed_SqueezeNet.net

Writes `benchmarks/results/published.csv`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import results_file
from compress.artifact.settings import Coder
from compress.pipeline.published import import_net
from compress.references import resolve

NAME = "published"
CODERS: tuple[Coder, ...] = ("huffman", "best")


def main() -> None:
    """Import the file with each coder and write the sizes."""
    source, subject = Path(sys.argv[1]), resolve("squeezenet1_0")
    rows = []
    for coder in CODERS:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "packed.safetensors"
            import_net(source, subject, target, coder=coder)
            size = target.stat().st_size
        rows.append(
            {
                "coder": coder,
                "published_bytes": source.stat().st_size,
                "file_bytes": size,
                **results_file.circumstances(),
            }
        )
    results_file.write(NAME, rows)


if __name__ == "__main__":
    main()

"""Result files: CSV, one row a measurement, written whole after each row."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from compress.files import write_text

RESULTS = Path(__file__).parent / "results"

Row = Mapping[str, str | int | float]


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a result file; none where there is no file yet."""
    path = RESULTS / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write(name: str, rows: Sequence[Row]) -> None:
    """Write rows that have the same columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(RESULTS / f"{name}.csv", stream.getvalue())


def compress_run(*options: str, out: Path | None = None) -> dict[str, Any]:
    """Run `compress run` in a process of its own and return its report.

    Args:
        options: of the command.
        out: folder of the results; by default they are thrown away.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = str(out or folder)
        command = [sys.executable, "-m", "compress", "run", *options, "--out", place, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def circumstances() -> dict[str, str | int | float]:
    """Return what a figure was measured under: versions, cores, load of the last minute."""
    packages = ("torch", "onnxruntime", "numpy", "numba")
    return {
        "versions": "; ".join(f"{name} {metadata.version(name)}" for name in packages),
        "device": f"cpu, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 2),
    }

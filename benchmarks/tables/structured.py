"""Structured pruning of every row of the zoo that takes an image: random weights, 30% of the MACs.

    python -m benchmarks.tables.structured [NAME …]

Writes `benchmarks/results/structured.csv` row by row; rows that are there already are kept, so a
run that was ended goes on. Each row is a process of its own. Parity is the largest difference of
the file's outputs from the network's, relative to the largest output. A row that fails stays in
the table, with its reason.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from compress_zoo import registry
from compress_zoo.entry import Entry

from benchmarks import results_file

NAME = "structured"
SETTING = ("--weights", "random", "--structured", "0.3")
TIMEOUT_SECONDS = 600
# Columns of a row that was measured; one that failed has them empty.
MEASURED = (
    "macs_dense", "macs", "params_dense", "params", "parity_max_rel", "parity_within", "seconds",
)  # fmt: skip


def main() -> None:
    """Measure what is missing and write the table."""
    images = [entry.name for entry in registry.entries() if _takes_an_image(entry)]
    done: list[results_file.Row] = [*results_file.read(NAME)]
    known = {row["name"] for row in done}
    for name in sys.argv[1:] or images:
        if registry.get(name).name not in known:
            done.append(_measure(name))
            results_file.write(NAME, done)
            print(done[-1], flush=True)


def _takes_an_image(entry: Entry) -> bool:
    shapes = [given.shape for given in entry.inputs]
    return len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] in (1, 3)


def _measure(name: str) -> results_file.Row:
    circumstances = results_file.circumstances()
    figures: dict[str, Any] = dict.fromkeys(MEASURED, "")
    reason = ""
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", "--model", name, *SETTING, "--out", folder]
        try:
            subprocess.run(
                [sys.executable, "-m", "compress", *words],
                check=True,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
            )
            figures |= _figures(msgspec.json.decode(Path(folder, "report.json").read_bytes()))
        except subprocess.CalledProcessError as failed:
            lines = failed.stderr.strip().splitlines()
            reason = lines[-1] if lines else f"ended by signal {-failed.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"not done after {TIMEOUT_SECONDS} s"
    return {"name": name, "ok": not reason, **figures, "reason": reason, **circumstances}


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    (stage,) = (stage for stage in report["stages"] if stage["name"] == NAME)
    return {
        **{name: stage["figures"][name] for name in MEASURED[:4]},
        "parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        "parity_within": report["parity"]["within"],
        "seconds": round(stage["seconds"], 1),
    }


if __name__ == "__main__":
    main()

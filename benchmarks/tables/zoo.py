"""Every row of the zoo at one setting: random weights, 90 % zeros, 5 bits, Huffman.

    python -m benchmarks.tables.zoo [NAME …]

Writes `benchmarks/results/zoo.csv`; rows that are there already are kept, so a run that was ended
goes on. Each row is a process of its own: its peak memory is its own.
"""

from __future__ import annotations

import sys

from benchmarks import results_file
from zoo import registry

NAME = "zoo"
SETTING = ("--weights", "random", "--prune", "0.9", "--quantize", "5bit")


def main() -> None:
    """Measure what is missing and write the table."""
    wanted = sys.argv[1:] or [entry.name for entry in registry.entries()]
    done: list[results_file.Row] = list(results_file.read(NAME))
    for name in wanted:
        if all(row["row"] != name for row in done):
            done.append(_measure(name))
            results_file.write(NAME, done)
            print(done[-1])


def _measure(name: str) -> results_file.Row:
    report = results_file.compress_run("--model", name, *SETTING)
    weights = [layer for layer in report["layers"] if len(layer["shape"]) > 1]
    return {
        "row": name,
        "params": report["params"],
        "dense_bytes": report["dense_bytes"],
        "file_bytes": report["artifact_bytes"],
        "ratio": round(report["ratio"], 2),
        "max_distinct": max(layer["distinct"] for layer in weights),
        "seconds": round(sum(stage["seconds"] for stage in report["stages"]), 1),
        "peak_rss_mib": round(max(s["peak_rss_bytes"] for s in report["stages"]) / 2**20),
        "parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        **results_file.circumstances(),
    }


if __name__ == "__main__":
    main()

"""Deep Compression's Table 1, the rows on MNIST, three seeds each.

    python -m benchmarks.tables.deep_compression_1 [NET …]

Every choice was made on the validation part; the errors here are on the test split. Dense
baselines are trained once and kept. Writes `benchmarks/results/deep_compression_1.csv`; rows that
are there already are kept, so a run that was ended goes on.

Source: Han, Mao, Dally 2016, arXiv:1510.00149, Table 1; its layers sum to 25,983 B (Table 2) and
47,055 B (Table 3), which differs from the totals that it prints.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from benchmarks import results_file

NAME = "deep_compression_1"
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A row of the table, and how we run it."""

    model: str
    prune: str
    quantize: str
    paper_dense_error: float  #: percent
    paper_error: float  #: percent
    paper_bytes: int  #: as printed, kB of 1,000 bytes
    paper_layers_bytes: int  #: what its own layer rows sum to


ROWS = (
    PaperRow(
        model="lenet-300-100", prune="0.92", quantize="6bit", paper_dense_error=1.64,
        paper_error=1.58, paper_bytes=27_000, paper_layers_bytes=25_983,
    ),
    PaperRow(
        model="lenet-5", prune="0.92", quantize="conv=8bit,fc=5bit", paper_dense_error=0.80,
        paper_error=0.74, paper_bytes=44_000, paper_layers_bytes=47_055,
    ),
)  # fmt: skip


def main() -> None:
    """Measure what is missing and write the table."""
    wanted = sys.argv[1:] or [row.model for row in ROWS]
    done: list[results_file.Row] = list(results_file.read(NAME))
    for row in ROWS:
        for seed in SEEDS:
            known = any((r["row"], r["seed"]) == (row.model, str(seed)) for r in done)
            if row.model in wanted and not known:
                done.append(_measure(row, seed))
                results_file.write(NAME, done)
                print(done[-1])


def _measure(row: PaperRow, seed: int) -> results_file.Row:
    report = results_file.compress_run(
        "--model", row.model, "--task", "mnist", "--prune", row.prune,
        "--quantize", row.quantize, "--seed", str(seed),
    )  # fmt: skip
    stages = {stage["name"]: stage for stage in report["stages"]}
    return {
        "row": row.model,
        "seed": seed,
        "prune": row.prune,
        "quantize": row.quantize,
        "paper_dense_error_percent": row.paper_dense_error,
        "paper_error_percent": row.paper_error,
        "paper_printed_bytes": row.paper_bytes,
        "paper_layers_bytes": row.paper_layers_bytes,
        "dense_error_percent": _percent(report["accuracy"]["dense"]),
        "error_percent": _percent(report["accuracy"]["compressed"]),
        "dense_bytes": report["dense_bytes"],
        "file_bytes": report["artifact_bytes"],
        "weights_bytes": report["paper_bytes"],
        "seconds_after_baseline": round(
            sum(stage["seconds"] for name, stage in stages.items() if name != "dense"), 1
        ),
        "parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        **results_file.circumstances(),
    }


def _percent(accuracy: float) -> float:
    return round(100 * (1 - accuracy), 2)


if __name__ == "__main__":
    main()

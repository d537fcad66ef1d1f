"""What a teacher is worth: a student of three of MiniLM's six layers on SST-2, taught and not.

    python -m benchmarks.tables.distillation ROOT [SEED …]

ROOT holds sst2. The teacher is MiniLM, fine-tuned as the task has it. Both students begin with its
first, third and fifth layer and are trained alike; one by its labels, the other by its teacher's
answers, too. The last is then pruned and shared. All figures are of the test part; the epoch is
chosen on the validation part. Writes `benchmarks/results/distillation.csv`; rows that are there
already are kept.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import results_file

NAME = "distillation"
_LAYERS = 3
_TEACHER: dict[str, Any] = {"model": "all-minilm-l6-v2", "task": "sst2"}
_SHARES = {"plain": 0.0, "taught": 0.5}
_SMALLER: dict[str, Any] = {"prune": 0.5, "quantize": 5, "coder": "best"}


def main() -> None:
    """Measure what is missing and write the table."""
    root, seeds = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]] or [0, 1, 2]
    done: list[results_file.Row] = list(results_file.read(NAME))
    for seed in seeds:
        for way, changes in _ways().items():
            known = {(row["way"], row["seed"]) for row in done}
            if (way, str(seed)) not in known:
                done.append(_measured(way, seed, root, changes))
                results_file.write(NAME, done)
                print(done[-1], flush=True)


def _ways() -> dict[str, dict[str, Any]]:
    students = {
        way: {"distill": {"teacher": "dense", "layers": _LAYERS, "share": share}}
        for way, share in _SHARES.items()
    }
    return {"teacher": {}, **students, "taught, then small": {**students["taught"], **_SMALLER}}


def _measured(way: str, seed: int, root: Path, changes: dict[str, Any]) -> results_file.Row:
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.yaml"
        recipe.write_text(json.dumps({**_TEACHER, **changes, "data": str(root), "seed": seed}))
        report = results_file.compress_run("--recipe", str(recipe))
    found, layers = report["accuracy"], report["layers"]
    return {
        "way": way,
        "seed": str(seed),
        "percent": round(100 * found["compressed"], 2),
        "of_teacher_percent": round(100 * found["compressed"] / found["dense"], 2),
        "weights": sum(layer["weights"] for layer in layers),
        "file_bytes": report["artifact_bytes"],
        "seconds": round(sum(stage["seconds"] for stage in report["stages"]), 1),
        **results_file.circumstances(),
    }


if __name__ == "__main__":
    main()

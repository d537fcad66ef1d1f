"""Every row of the zoo at one setting: random weights, 90% zeros, 5 bits, Huffman.

    python -m benchmarks.tables.zoo [NAME …]

Writes `benchmarks/results/zoo.csv` row by row; rows that are there already are kept, so a run that
was ended goes on. Each row is a process of its own, with 6 GiB of data at most: its peak memory is
its own. The file is unpacked again and compared with the ONNX file that it was made from. A row
that fails stays in the table, with its error. `compress_zoo/measured.csv` gets the sizes that
`compress zoo` shows.
"""

from __future__ import annotations

import filecmp
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import compress_zoo
import msgspec
from compress_zoo import registry

from benchmarks import results_file
from compress.files import write_text

NAME = "zoo"
SETTING = ("--weights", "random", "--prune", "0.9", "--quantize", "5bit")
MEMORY_BYTES = 6 << 30
TIMEOUT_SECONDS = 900  # the limit that a row is to keep is 120 s on an idle machine
# Columns of a row that was measured; one that failed has them empty.
MEASURED = (
    "params", "dense_bytes", "file_bytes", "ratio", "max_distinct", "seconds", "peak_rss_mib",
    "parity_max_rel", "parity_within", "bit_exact",
)  # fmt: skip


def main() -> None:
    """Measure what is missing and write the table."""
    wanted = sys.argv[1:] or [entry.name for entry in registry.entries()]
    # Rows of an earlier form of the table are measured anew.
    done: list[results_file.Row] = [row for row in results_file.read(NAME) if "error" in row]
    known = {row["row"] for row in done}
    for name in wanted:
        if registry.get(name).name not in known:
            done.append(_measure(name))
            results_file.write(NAME, done)
            _write_measured(done)
            print(done[-1], flush=True)


def _measure(name: str) -> results_file.Row:
    circumstances = results_file.circumstances()
    figures: dict[str, Any] = dict.fromkeys(MEASURED, "")
    error = ""
    with tempfile.TemporaryDirectory() as folder:
        out, start = Path(folder), time.perf_counter()
        try:
            _compress("run", "--model", name, *SETTING, "--out", out)
            seconds = time.perf_counter() - start
            figures |= _figures(msgspec.json.decode((out / "report.json").read_bytes()))
            figures["seconds"] = round(seconds, 1)
            figures["bit_exact"] = _is_bit_exact(out, name)
        except subprocess.CalledProcessError as failed:
            lines = failed.stderr.strip().splitlines()
            error = lines[-1] if lines else f"ended by signal {-failed.returncode}"
        except subprocess.TimeoutExpired:
            error = f"not done after {TIMEOUT_SECONDS} s"
    return {"row": name, **figures, "error": error, **circumstances}


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    weights = [layer for layer in report["layers"] if len(layer["shape"]) > 1]
    return {
        "params": report["params"],
        "dense_bytes": report["dense_bytes"],
        "file_bytes": report["artifact_bytes"],
        "ratio": round(report["ratio"], 2),
        "max_distinct": max(layer["distinct"] for layer in weights),
        "peak_rss_mib": round(max(s["peak_rss_bytes"] for s in report["stages"]) / 2**20),
        "parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        "parity_within": report["parity"]["within"],
    }


def _is_bit_exact(out: Path, name: str) -> bool:
    """Unpack the compressed file and compare all bytes, those beside the ONNX file too."""
    again = out / "again" / f"{name}.onnx"
    again.parent.mkdir()
    _compress("unpack", out / f"{name}.safetensors", "-o", again)
    made = sorted(path.name for path in again.parent.iterdir())
    _, different, unread = filecmp.cmpfiles(out, again.parent, made, shallow=False)
    return not different and not unread


def _compress(*words: str | Path) -> None:
    """Call the command line in a process of its own; its memory is limited."""
    subprocess.run(
        [sys.executable, "-m", "compress", *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        preexec_fn=_limit_memory,
    )


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


def _write_measured(rows: Sequence[results_file.Row]) -> None:
    lines = [f"{row['row']},{row['file_bytes']}" for row in rows if row["file_bytes"]]
    assert compress_zoo.__file__ is not None
    path = Path(compress_zoo.__file__).with_name("measured.csv")
    write_text(path, "\n".join(["name,file_bytes", *lines, ""]))


if __name__ == "__main__":
    main()

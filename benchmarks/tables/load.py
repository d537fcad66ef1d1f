"""From a file to a ready session: ours against ONNX Runtime on the plain file, in turns.

    python -m benchmarks.tables.load

VGG-16 with random weights at the densities and bits of Deep Compression's Table 5. Each start is a
process of its own, which counts from the call that is given the path, imports done, files in the
page cache. `resident` is the largest resident memory until the session is ready, mapped weights
among it. `peak` goes on through the runs and takes in shared memory that is not mapped: it is
sampled from outside, once, so nothing else that uses shared memory should run. From a cold storage
of 90 MB/s (an SD card or eMMC of a small board) the file has to be read first: `cold` is computed,
as bytes on disk / 90 MB/s + the seconds measured from the page cache.

Writes `benchmarks/results/load.csv`.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import results_file
from compress.artifact import convert

NAME = "load"
STORAGE_BYTES = 90e6  # a second
REPEATS = 5
#: Zeros of each layer, in percent: Han et al. 2016, Table 5.
SPARSITY = (
    "features.0=0.42,features.2=0.78,features.5=0.66,features.7=0.64,features.10=0.47,"
    "features.12=0.76,features.14=0.58,features.17=0.68,features.19=0.73,features.21=0.66,"
    "features.24=0.65,features.26=0.71,features.28=0.64,"
    "classifier.0=0.96,classifier.3=0.96,classifier.6=0.77"
)
BITS = "conv=8bit,fc=5bit"

_START = """
import json, sys, time
import numpy as np, onnxruntime
from compress import runtime
from compress.measure import memory
from compress.artifact import archive
how, path = sys.argv[1:]
start = time.perf_counter()
if how == "plain":
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
else:
    session = runtime.load(path)
ready = time.perf_counter() - start
resident = memory.peak_rss_bytes()
image = np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
runs = []
for _ in range(7):
    start = time.perf_counter()
    session.run(None, {"input": image}) if how == "plain" else session.run({"input": image})
    runs.append(time.perf_counter() - start)
print(json.dumps({"ready": ready, "resident": resident, "run": sorted(runs)[3]}))
"""


def main() -> None:
    """Make the files, measure, and write the table."""
    rows: list[results_file.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        plain = _network(Path(folder))
        for coder in ("huffman", "best"):
            packed = plain.with_name(f"{coder}.safetensors")
            start = time.perf_counter()
            convert.pack(plain, packed, coder=coder)
            rows.append(_row(plain, packed, coder, time.perf_counter() - start))
            print(rows[-1])
    results_file.write(NAME, rows)


def _network(folder: Path) -> Path:
    options = ("--weights", "random", "--prune", SPARSITY, "--quantize", BITS)
    command = [sys.executable, "-m", "compress", "run", "--model", "vgg16", *options]
    out = ["--out", str(folder / "run"), "--json"]
    subprocess.run([*command, *out], check=True, capture_output=True)
    return folder / "run" / "vgg16.onnx"


def _row(plain: Path, packed: Path, coder: str, pack_seconds: float) -> results_file.Row:
    ways = {"plain": plain, "ours": packed}
    peak = {how: _peak(how, path) for how, path in ways.items()}  # fills the page cache, too
    found: dict[str, list[dict[str, float]]] = {how: [] for how in ways}
    for _ in range(REPEATS):
        for how, path in ways.items():
            done = subprocess.run(_start(how, path), check=True, capture_output=True, text=True)
            found[how].append(json.loads(done.stdout))
    median = {
        (how, key): statistics.median(start[key] for start in starts)
        for how, starts in found.items()
        for key in ("ready", "resident", "run")
    }
    dense, small = plain.stat().st_size, packed.stat().st_size
    cold = {
        how: n_bytes / STORAGE_BYTES + median[how, "ready"]
        for how, n_bytes in (("plain", dense), ("ours", small))
    }
    return {
        "network": "vgg16, random, densities and bits of Table 5",
        "coder": coder,
        "plain_bytes": dense,
        "file_bytes": small,
        "pack_seconds": round(pack_seconds, 1),
        "plain_ready_ms": round(1000 * median["plain", "ready"]),
        "ready_ms": round(1000 * median["ours", "ready"]),
        "ready_ratio": round(median["ours", "ready"] / median["plain", "ready"], 2),
        "plain_resident_mib": round(median["plain", "resident"] / 2**20),
        "resident_mib": round(median["ours", "resident"] / 2**20),
        "plain_peak_mib": round(peak["plain"] / 2**20),
        "peak_mib": round(peak["ours"] / 2**20),
        "peak_per_dense": round(peak["ours"] / dense, 2),
        "run_ratio": round(median["ours", "run"] / median["plain", "run"], 2),
        "cold_ratio": round(cold["plain"] / cold["ours"], 1),
        **results_file.circumstances(),
    }


def _start(how: str, path: Path) -> list[str]:
    return [sys.executable, "-c", _START, how, str(path)]


def _peak(how: str, path: Path) -> int:
    """Return the most memory that a start and its runs take, shared memory among it."""
    before, most = _kib("/proc/meminfo", "Shmem"), 0
    with subprocess.Popen(_start(how, path), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError, KeyError):  # it may be gone between two looks
                own = (_kib(f"/proc/{process.pid}/status", key) for key in ("RssAnon", "RssFile"))
                most = max(most, sum(own) + _kib("/proc/meminfo", "Shmem") - before)
            time.sleep(0.002)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return 1024 * most


def _kib(path: str, key: str) -> int:
    lines = Path(path).read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[key].split()[0])


if __name__ == "__main__":
    main()

"""k-means of one layer's weights: ours against scikit-learn's, from the same start, in turns.

    python benchmarks/micro/kmeans.py

Both run until no weight changes its cluster, 300 steps at most, on float32 weights. Ours runs in
one thread, scikit-learn's in as many as the row says. Writes `benchmarks/results/kmeans.csv`.
"""

from __future__ import annotations

import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.kernels.kmeans import kmeans_1d

RESULTS = Path(__file__).parent.parent / "results" / "kmeans.csv"
COLUMNS = (
    "weights", "centroids", "ours_threads", "sklearn_threads", "ours_ms", "sklearn_ms",
    "speedup", "ours_inertia", "sklearn_inertia", "inertia_ratio", "repeats", "versions",
)  # fmt: skip

Run = Callable[[], float]  # returns the inertia


def main() -> None:
    """Measure, print and write the table."""
    cases = ((100_000, 1), (1_000_000, 1), (1_000_000, min(2, os.cpu_count() or 1)))
    rows = [_row(n, 32, threads) for n, threads in cases]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()))


def _row(n: int, k: int, threads: int, repeats: int = 3) -> dict[str, object]:
    import sklearn

    weights = (0.05 * np.random.default_rng(0).normal(size=n)).astype(np.float32)
    ours, theirs = _ours(weights, k), _theirs(weights, k, threads)
    ours()  # compiles
    times: tuple[list[float], list[float]] = ([], [])
    inertias = [0.0, 0.0]
    for _ in range(repeats):
        for side, run in enumerate((ours, theirs)):
            begin = time.perf_counter()
            inertias[side] = run()
            times[side].append(1000 * (time.perf_counter() - begin))
    medians = [statistics.median(side) for side in times]
    values = (
        n, k, 1, threads, f"{medians[0]:.1f}", f"{medians[1]:.1f}",
        f"{medians[1] / medians[0]:.1f}", f"{inertias[0]:.9g}", f"{inertias[1]:.9g}",
        f"{inertias[0] / inertias[1]:.9f}", repeats,
        f"numpy {np.__version__}; scikit-learn {sklearn.__version__}",
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _ours(weights: NDArray[np.float32], k: int) -> Run:
    return lambda: kmeans_1d(weights, k, init="linear")[1]


def _theirs(weights: NDArray[np.float32], k: int, threads: int) -> Run:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    start = np.linspace(weights.min(), weights.max(), k, dtype=np.float32)[:, None]
    column = weights[:, None]

    def run() -> float:
        with threadpool_limits(threads):
            means = KMeans(k, init=start, n_init=1, max_iter=300, tol=0).fit(column)
        centroids = means.cluster_centers_[:, 0].astype(np.float64)
        distances = column[:, 0].astype(np.float64) - centroids[means.labels_]
        return float(distances @ distances)

    return run


if __name__ == "__main__":
    main()

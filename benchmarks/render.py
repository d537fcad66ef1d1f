"""Write the tables of README.md and docs/ from the result files, so that no figure is typed.

    python benchmarks/render.py           write them
    python benchmarks/render.py --check   fail where one is not what its result file says

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import results_file  # noqa: E402  (found from the folder above)

_PLACE = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write or check all tables."""
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text()
        fresh = _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)
        if fresh != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(fresh)
    if stale and "--check" in sys.argv:
        sys.exit(f"figures are not those of benchmarks/results: {', '.join(stale)}")


def _deep_compression() -> str:
    rows = results_file.read("deep_compression_1")
    lines = []
    for name in dict.fromkeys(row["row"] for row in rows):
        ours = [row for row in rows if row["row"] == name]
        first = ours[0]
        lines.append(
            (
                name,
                f"{first['paper_error_percent']} %",
                " / ".join(f"{row['error_percent']} %" for row in ours),
                f"{int(first['paper_printed_bytes']):,} B ({int(first['paper_layers_bytes']):,})",
                " / ".join(f"{int(row['weights_bytes']):,} B" for row in ours),
                " / ".join(f"{int(row['file_bytes']):,} B" for row in ours),
                f"{median(int(r['dense_bytes']) / int(r['file_bytes']) for r in ours):.1f}x",
            )
        )
    return _table(
        (
            "network", "paper: error", "ours: error, by seed", "paper: size (sum of its rows)",
            "ours, counted like the paper", "ours, file on disk", "file ratio, median",
        ),
        lines,
    )  # fmt: skip


def _zoo() -> str:
    return _table(
        ("network", "parameters", "dense", "file", "ratio", "seconds", "peak memory", "parity"),
        (
            (
                row["row"],
                f"{int(row['params']):,}",
                f"{int(row['dense_bytes']):,} B",
                f"{int(row['file_bytes']):,} B",
                f"{row['ratio']}x",
                row["seconds"],
                f"{int(row['peak_rss_mib']):,} MiB",
                row["parity_max_rel"],
            )
            if not row.get("error")
            else (row["row"], *[""] * 6, row["error"])
            for row in results_file.read("zoo")
        ),
    )


def _kmeans() -> str:
    return _table(
        ("weights", "centroids", "scikit-learn's threads", "faster by", "inertia, ours / theirs"),
        (
            (
                f"{int(row['weights']):,}",
                row["centroids"],
                row["sklearn_threads"],
                f"{float(row['speedup']):.0f}x",
                f"{float(row['inertia_ratio']):.5f}",
            )
            for row in results_file.read("kmeans")
        ),
    )


def _huffman() -> str:
    rows = results_file.read("huffman")
    return _table(
        (
            "codes", "symbols", "codec", "threads", "entropy, bits", "stored, bits",
            "encode, M symbols/s", "decode, M symbols/s",
        ),
        (
            (
                row["data"],
                f"{int(row['symbols']):,}",
                row["codec"],
                row["threads"],
                f"{float(row['entropy_bits']):.3f}",
                f"{float(row['bits_per_symbol']):.3f}",
                f"{float(row['encode_msymbols_s']):,.0f}",
                f"{float(row['decode_msymbols_s']):,.0f}",
            )
            for row in rows
        ),
    )  # fmt: skip


def _codec() -> str:
    return _table(
        (
            "weights", "codec", "threads", "bytes", "ratio", "encode, MB/s", "decode, MB/s",
            "peak memory to encode", "to decode",
        ),
        (
            (
                row["data"],
                row["codec"],
                row["threads"],
                f"{int(row['bytes']):,}",
                f"{float(row['ratio']):.2f}x",
                f"{float(row['encode_mb_s']):,.1f}",
                f"{float(row['decode_mb_s']):,.0f}",
                f"{int(row['encode_peak_mib']):,} MiB",
                f"{int(row['decode_peak_mib']):,} MiB",
            )
            for row in results_file.read("codec")
        ),
    )  # fmt: skip


def _example() -> str:
    return f"```console\n{(results_file.RESULTS / 'example.txt').read_text()}```\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(head)
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "deep-compression": _deep_compression,
    "zoo": _zoo,
    "kmeans": _kmeans,
    "huffman": _huffman,
    "codec": _codec,
    "example": _example,
}

if __name__ == "__main__":
    main()

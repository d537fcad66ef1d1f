"""Write the tables of README.md and docs/ from the result files, so that no figure is typed.

    python benchmarks/render.py           write them
    python benchmarks/render.py --check   fail where one is not what its result file says

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from compress_zoo import registry  # noqa: E402

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
                f"{first['paper_error_percent']}%",
                " / ".join(f"{row['error_percent']}%" for row in ours),
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


_SHOWN = (  # of the zoo, in README
    "lenet-5", "alexnet-caffe", "vgg16", "resnet50", "squeezenet1_0", "mobilenet_v2",
    "efficientnet_b7", "nasnetalarge", "fasterrcnn_resnet50_fpn", "r3d_18", "seq2seq-lstm",
    "bert-base", "gpt2", "deepspeech2",
)  # fmt: skip


def _zoo() -> str:
    """A few rows, and what holds for all of them."""
    rows = results_file.read("zoo")
    works = [row for row in rows if not row["error"]]
    ratios = sorted(float(row["ratio"]) for row in works)
    exact = sum(row["bit_exact"] == "True" for row in works)
    summary = (
        f"{len(works)} of {len(rows)} rows end without an error, {exact} of them unpack bit for "
        f"bit; the files are {ratios[0]:.1f} to {ratios[-1]:.1f} times smaller than the float32 "
        f"weights (median {median(ratios):.1f}), ONNX Runtime's outputs differ from torch's by "
        f"{max(float(row['parity_max_rel']) for row in works):.1e} of the largest at most, and the "
        f"largest run took {max(int(row['peak_rss_mib']) for row in works):,} MiB.\n\n"
    )
    return summary + _zoo_table([row for row in rows if row["row"] in _SHOWN])


def _whole_zoo() -> str:
    order = {entry.name: place for place, entry in enumerate(registry.entries())}
    return _zoo_table(sorted(results_file.read("zoo"), key=lambda row: order[row["row"]]))


def _zoo_table(rows: Sequence[Mapping[str, str]]) -> str:
    return _table(
        (
            "network", "parameters", "dense", "file", "ratio", "seconds", "load of the machine",
            "peak memory", "parity",
        ),
        (
            (
                row["row"],
                f"{int(row['params']):,}",
                f"{int(row['dense_bytes']):,} B",
                f"{int(row['file_bytes']):,} B",
                f"{row['ratio']}x",
                row["seconds"],
                row["load"],
                f"{int(row['peak_rss_mib']):,} MiB",
                row["parity_max_rel"],
            )
            if not row["error"]
            else (row["row"], *[""] * 7, row["error"])
            for row in rows
        ),
    )  # fmt: skip


_NNCODEC = {  # the setting with the better curve
    "squeezenet1_0": ("best",),
    "efficientnet_lite0": ("default",),
    "all-minilm-l6-v2": ("default",),
    "resnet20": (),
}


def _rate_accuracy() -> str:
    """Both codecs, network by network, by bytes; what is ruined is left out.

    NNCodec has the settings that gave it the better curve on the network.
    """
    settings = {"none": ("float32",), "ours": ("default", "without")}
    rows = [
        row
        for row in results_file.read("rate_accuracy")
        if row["setting"].startswith(settings.get(row["codec"], _NNCODEC[row["network"]]))
        and float(row["divergence"]) < 1
    ]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    return _table(
        ("network", "bytes", "codec", "setting", "metric", "all", "unseen", "divergence, unseen"),
        (
            (
                row["network"],
                f"{int(row['bytes']):,}",
                row["codec"],
                row["setting"],
                row["metric"],
                f"{float(row['percent']):.2f}%",
                f"{float(row['percent_unseen']):.2f}%",
                f"{float(row['divergence_unseen']):.4f}",
            )
            for row in sorted(rows, key=lambda r: (networks.index(r["network"]), -int(r["bytes"])))
        ),
    )


def _after_training() -> str:
    rows = results_file.read("after_training")
    networks = list(dict.fromkeys(row["network"] for row in rows))
    return _table(
        ("network", "setting", "samples", "file", "metric", "dense", "compressed"),
        (
            (
                row["network"],
                f"`{row['setting']}`",
                row["samples"],
                f"{int(row['file_bytes']):,} B",
                f"{row['metric']}, n = {int(row['n']):,}",
                f"{float(row['dense_percent']):.2f}%",
                f"{float(row['percent']):.2f}%",
            )
            for row in sorted(
                rows, key=lambda r: (networks.index(r["network"]), r["setting"], r["samples"])
            )
        ),
    )


def _load() -> str:
    return _table(
        (
            "coder", "file", "pack", "ready", "ONNX Runtime, plain", "ratio",
            "resident until ready", "peak, with runs", "of the dense weights",
            "ONNX Runtime's peak", "from cold storage, faster by", "a run takes",
        ),
        (
            (
                row["coder"],
                f"{int(row['file_bytes']):,} B",
                f"{row['pack_seconds']} s",
                f"{int(row['ready_ms']):,} ms",
                f"{int(row['plain_ready_ms']):,} ms",
                row["ready_ratio"],
                f"{int(row['resident_mib']):,} MiB",
                f"{int(row['peak_mib']):,} MiB",
                f"{row['peak_per_dense']}x",
                f"{int(row['plain_peak_mib']):,} MiB",
                f"{row['cold_ratio']}x",
                f"{row['run_ratio']}x",
            )
            for row in results_file.read("load")
        ),
    )  # fmt: skip


def _published() -> str:
    return _table(
        ("coder", "as published", "our file"),
        (
            (row["coder"], f"{int(row['published_bytes']):,} B", f"{int(row['file_bytes']):,} B")
            for row in results_file.read("published")
        ),
    )


def _pretrained() -> str:
    return _table(
        ("network", "file", "measured on", "n", "metric", "value", "top-5", "bytes on disk"),
        (
            (
                row["row"],
                row["file"],
                row["task"],
                row["n"],
                row["metric"],
                row["percent"],
                row["top5_percent"] or "-",
                f"{int(row['file_bytes']):,} B",
            )
            for row in results_file.read("pretrained")
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
                _three_digits(row["encode_msymbols_s"]),
                _three_digits(row["decode_msymbols_s"]),
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
                _three_digits(row["encode_mb_s"]),
                _three_digits(row["decode_mb_s"]),
                f"{int(row['encode_peak_mib']):,} MiB",
                f"{int(row['decode_peak_mib']):,} MiB",
            )
            for row in results_file.read("codec")
        ),
    )  # fmt: skip


def _example() -> str:
    return f"```console\n{(results_file.RESULTS / 'example.txt').read_text()}```\n"


def _three_digits(number: str) -> str:
    """Round to three digits, none of them lost before the point."""
    value = float(number)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(head)
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "deep-compression": _deep_compression,
    "zoo": _zoo,
    "whole-zoo": _whole_zoo,
    "rate-accuracy": _rate_accuracy,
    "after-training": _after_training,
    "load": _load,
    "pretrained": _pretrained,
    "published": _published,
    "kmeans": _kmeans,
    "huffman": _huffman,
    "codec": _codec,
    "example": _example,
}

if __name__ == "__main__":
    main()

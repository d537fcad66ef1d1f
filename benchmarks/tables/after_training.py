"""What compression after training keeps, with samples and without: one setting a row.

    python -m benchmarks.tables.after_training ROOT [NAME …]

ROOT holds imagenet-sample, squeezenet-deep-compression and stsb. Of imagenet-sample's 1,000 images
every fifth is a sample without its label, and the other 800 are measured. Without samples each
code is chosen alone, as Deep Compression does, and pruning is by magnitude alone. Writes
`benchmarks/results/after_training.csv`; rows that are there already are kept.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results_file

NAME = "after_training"
_EVERY = 5  # images, one is a sample
_LITE, _SQUEEZENET, _MINILM = "efficientnet_lite0", "squeezenet1_0", "all-minilm-l6-v2"


@dataclass(frozen=True, slots=True)
class Case:
    """A row."""

    model: str
    samples: str  #: none, made up, or where they are from
    options: tuple[str, ...]


_ALONE = {"prune": "{sparsity: 0.5, samples: 0}", "quantize": "{bits: 8, samples: 0}"}
_CASES = (
    Case(_LITE, "none", ("--prune", "0.6")),
    Case(_LITE, "200 images", ("--prune", "0.6")),
    Case(_LITE, "none", ("--quantize", "5bit")),
    Case(_LITE, "made up", ("--quantize", "5bit")),
    Case(_LITE, "200 images", ("--quantize", "5bit")),
    Case(_LITE, "none", ("--quantize", "6bit")),
    Case(_LITE, "made up", ("--quantize", "6bit")),
    Case(_LITE, "200 images", ("--quantize", "6bit")),
    Case(_LITE, "200 images", ("--quantize", "auto", "--max-drop", "1")),
    Case(_SQUEEZENET, "none", ("--prune", "0.8")),
    Case(_SQUEEZENET, "200 images", ("--prune", "0.8")),
    Case(_SQUEEZENET, "none", ("--quantize", "5bit")),
    Case(_SQUEEZENET, "made up", ("--quantize", "5bit")),
    Case(_SQUEEZENET, "200 images", ("--quantize", "5bit")),
    Case(_MINILM, "none", ("--quantize", "5bit")),
    Case(_MINILM, "STS-B's training part", ("--quantize", "5bit")),
    Case(_MINILM, "STS-B's training part", ("--quantize", "auto", "--max-drop", "1")),
)


def main() -> None:
    """Measure what is missing and write the table."""
    root, wanted = Path(sys.argv[1]), sys.argv[2:]
    done: list[results_file.Row] = list(results_file.read(NAME))
    with tempfile.TemporaryDirectory() as folder:
        images, samples = _divided(root / "imagenet-sample", Path(folder))
        for case in _CASES:
            known = (case.model, case.samples, " ".join(case.options))
            if known in {(r["network"], r["samples"], r["setting"]) for r in done}:
                continue
            if not wanted or case.model in wanted:
                done.append(_measure(case, root, images, samples))
                results_file.write(NAME, done)
                print(done[-1], flush=True)


def _divided(source: Path, folder: Path) -> tuple[Path, Path]:
    """Link the images that are measured, by class, and the samples."""
    images, samples = folder / "images", folder / "samples"
    samples.mkdir()
    for place, path in enumerate(sorted((source / "val").glob("*/*"))):
        target = images / "val" / path.parent.name / path.name
        if place % _EVERY == 0:
            target = samples / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())
    (images / "classes.tsv").symlink_to((source / "classes.tsv").resolve())
    return images, samples


def _measure(case: Case, root: Path, images: Path, samples: Path) -> results_file.Row:
    words = ["--model", case.model, *case.options, "--seed", "0"]
    if case.model == _MINILM:
        words += ["--task", "stsb", "--data", str(root), "--epochs", "0"]
    else:
        words += ["--task", "imagefolder", "--data", str(images)]
    if case.samples == "200 images":
        words += ["--calibration", str(samples)]
    if case.model == _SQUEEZENET:
        published = root / "squeezenet-deep-compression" / "compressed_SqueezeNet.net"
        words += ["--weights", str(published)]
    with tempfile.TemporaryDirectory() as folder:
        if case.samples == "none":
            recipe = Path(folder) / "recipe.yaml"
            own = case.options[0].removeprefix("--")
            recipe.write_text(f"{{model: {case.model}, {own}: {_ALONE[own]}}}")
            words += ["--recipe", str(recipe)]
        report = results_file.compress_run(*words)
    found = report["accuracy"]
    return {
        "network": case.model,
        "samples": case.samples,
        "setting": " ".join(case.options),
        "metric": found["metric"],
        "n": found["n"],
        "dense_percent": round(100 * found["dense"], 2),
        "percent": round(100 * found["compressed"], 2),
        "file_bytes": report["artifact_bytes"],
        "seconds": round(sum(stage["seconds"] for stage in report["stages"]), 1),
        **results_file.circumstances(),
    }


if __name__ == "__main__":
    main()

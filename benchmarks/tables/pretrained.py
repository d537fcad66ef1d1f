"""Networks with published weights on real data: as they are, and with shared weights, untrained.

    python -m benchmarks.tables.pretrained ROOT [NAME …]

ROOT holds the data sets: `imagenet-sample` (images of ImageNet's 1,000 classes in the layout of
the task imagefolder), `stsb`, and Han's SqueezeNet in `squeezenet-deep-compression`. Other weights
must be at hand: installed as a package, or downloaded before. Writes
`benchmarks/results/pretrained.csv`; rows that are there already are kept, so a run that was ended
goes on. Each file is measured by ONNX Runtime, with the preprocessing or the tokenizer in it.

A sample of the training images says nothing about ImageNet's accuracy: only the difference
between two files of a network counts.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from compress_zoo.tasks.imagefolder import ImageFolder
from compress_zoo.tasks.stsb import Stsb
from numpy.typing import NDArray

from benchmarks import results_file
from compress.measure.answers import order
from compress.measure.sessions import evaluate_session
from compress.runtime import load
from compress.runtime.takes import takes_of

NAME = "pretrained"
SETTINGS = {"dense": (), "5bit": ("--quantize", "5bit"), "8bit": ("--quantize", "8bit")}
_HAN = "squeezenet-deep-compression/compressed_SqueezeNet.net"
_BATCH = 10


@dataclass(frozen=True, slots=True)
class Case:
    """A network, and the task that it is measured on."""

    task: Literal["imagefolder", "stsb"]
    weights: str = "pretrained"  #: or a file in the root of the data sets
    settings: tuple[str, ...] = ("dense", "5bit")


CASES = {
    "efficientnet_lite0": Case("imagefolder"),
    "efficientnet_lite1": Case("imagefolder"),
    "efficientnet_lite2": Case("imagefolder"),
    "squeezenet1_0": Case("imagefolder", _HAN),
    "all-minilm-l6-v2": Case("stsb", settings=("dense", "5bit", "8bit")),
}


def main() -> None:
    """Measure what is missing and write the table."""
    if len(sys.argv) < 2:
        sys.exit("give the data sets: python -m benchmarks.tables.pretrained ROOT [NAME …]")
    root, wanted = Path(sys.argv[1]), sys.argv[2:] or list(CASES)
    for model in wanted:
        for setting in CASES[model].settings:
            if (model, setting) not in {(r["row"], r["file"]) for r in results_file.read(NAME)}:
                row = _measure(model, setting, root)
                results_file.write(NAME, [*results_file.read(NAME), row])
                print(row)


def _measure(model: str, setting: str, root: Path) -> results_file.Row:
    """Make one file of a network and measure it."""
    case = CASES[model]
    weights = case.weights if case.weights == "pretrained" else str(root / case.weights)
    words = ["--model", model, "--weights", weights, *SETTINGS[setting]]
    images = root / "imagenet-sample"
    if case.task == "imagefolder":
        words += ["--task", case.task, "--data", str(images), "--epochs", "0"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        report = results_file.compress_run(*words, out=out)
        file = out / f"{model}.safetensors"
        figures = _on_images(file, images) if case.task == "imagefolder" else _on_texts(file, root)
    return {
        "row": model,
        "file": setting,
        "task": case.task,
        **figures,
        "state_dict_bytes": report["dense_bytes"],
        "file_bytes": report["artifact_bytes"],
        "parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        **results_file.circumstances(),
    }


def _on_images(file: Path, data: Path) -> results_file.Row:
    places = _places(file, data)
    return {
        "metric": "top1",
        "n": len(places),
        "percent": round(100 * float((places == 0).mean()), 2),
        "top5_percent": round(100 * float((places < 5).mean()), 2),
    }


def _on_texts(file: Path, root: Path) -> results_file.Row:
    session = load(file)
    task = Stsb(root=root).suited(takes_of(session, file))
    pairs = task.load("test")
    assert pairs is not None  # the task has all parts
    value = evaluate_session(session, task, pairs)
    return {
        "metric": task.metric.name,
        "n": len(pairs),
        "percent": round(100 * value, 2),
        "top5_percent": "",
    }


def _places(file: Path, data: Path) -> NDArray[np.intp]:
    """Return at which place, from 0, a compressed file has the class of each image."""
    session = load(file)
    samples = ImageFolder(root=data).suited(takes_of(session, file)).load("test")
    assert samples is not None  # the run measured on it
    places = []
    for begin in range(0, len(samples), _BATCH):
        chosen = np.arange(begin, min(begin + _BATCH, len(samples)))
        inputs, labels = samples.batch(chosen)
        outputs = session.run({session.inputs[0].name: inputs})
        ranked = np.stack([order(scores) for scores in outputs[session.outputs[0].name]])
        places.append((ranked == np.asarray(labels)[:, None]).argmax(1))
    return np.concatenate(places)


if __name__ == "__main__":
    main()

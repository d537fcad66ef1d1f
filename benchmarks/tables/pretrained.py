"""Networks with published weights on real images: as they are, and with 5-bit codes, untrained.

    python -m benchmarks.tables.pretrained DATA [NAME …]

DATA holds images of ImageNet's 1,000 classes in the layout of the task imagefolder. The weights
must be at hand: installed as a package, or downloaded before. Writes
`benchmarks/results/pretrained.csv`; rows that are there already are kept, so a run that was ended
goes on. Both files are measured by ONNX Runtime after their own preprocessing.

A sample of the training images says nothing about ImageNet's accuracy: only the difference
between the two files counts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import results_file
from compress.runtime import load
from zoo.tasks import registry

NAME = "pretrained"
TASK = "imagefolder"
MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
SETTINGS = {"dense": (), "5bit": ("--quantize", "5bit", "--epochs", "0")}
_BATCH = 10


def main() -> None:
    """Measure what is missing and write the table."""
    if len(sys.argv) < 2:
        sys.exit("give the images: python -m benchmarks.tables.pretrained DATA [NAME …]")
    data, wanted = Path(sys.argv[1]), sys.argv[2:] or MODELS
    done: list[results_file.Row] = list(results_file.read(NAME))
    for model in wanted:
        if all(row["row"] != model for row in done):
            done.append(_measure(model, data))
            results_file.write(NAME, done)
            print(done[-1])


def _measure(model: str, data: Path) -> results_file.Row:
    row: dict[str, str | int | float] = {"row": model}
    where = ("--weights", "pretrained", "--task", TASK, "--data", str(data))
    for name, setting in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            report = results_file.compress_run("--model", model, *where, *setting, out=out)
            places = _places(out / f"{model}.safetensors", data)
        row |= {
            "images": len(places),
            f"{name}_top1_percent": round(100 * float((places == 0).mean()), 2),
            f"{name}_top5_percent": round(100 * float((places < 5).mean()), 2),
            "state_dict_bytes": report["dense_bytes"],
            f"{name}_file_bytes": report["artifact_bytes"],
            f"{name}_parity_max_rel": f"{report['parity']['max_rel']:.1e}",
        }
    return row | results_file.circumstances()


def _places(file: Path, data: Path) -> NDArray[np.intp]:
    """Return at which place, from 0, a compressed file has the class of each image."""
    session, samples = load(file), registry.get(TASK).load("test", data)
    assert samples is not None  # the run measured on it
    preprocessing, name = session.preprocessing(), session.inputs[0].name
    places = []
    for begin in range(0, len(samples), _BATCH):
        chosen = np.arange(begin, min(begin + _BATCH, len(samples)))
        outputs = session.run({name: preprocessing(samples.images(chosen))})
        order = outputs[session.outputs[0].name].argsort(axis=1)[:, ::-1]
        places.append((order == samples.labels[chosen, None]).argmax(1))
    return np.concatenate(places)


if __name__ == "__main__":
    main()

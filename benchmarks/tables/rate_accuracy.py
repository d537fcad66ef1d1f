"""Bytes against accuracy after training: one published network, coded at several sizes.

    python -m benchmarks.tables.rate_accuracy ROOT [--nncodec-python PYTHON] [--keep FOLDER]

ROOT holds `squeezenet-deep-compression/compressed_SqueezeNet.net`, Song Han's Deep Compression of
SqueezeNet v1.0, and `imagenet-sample/val/<wnid>/*.jpg`, one image of each ImageNet class. Codecs
see neither images nor labels here. `kl_mean` is the mean divergence, in nats, of the outputs from
those of the network as published; it tells apart what 1,000 right-or-wrongs cannot. The columns
`_800` leave out every fifth image, for codecs that do look at those.

The sample is not ImageNet's validation set: compare within this table only. Writes
`benchmarks/results/rate_accuracy.csv`; rows that are there already are kept. For PYTHON see
`benchmarks/peers/run_nncodec.py`; FOLDER keeps its bitstreams and what they decode to.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from benchmarks import results_file
from compress.artifact import archive, convert, model
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.passes.budget import share_to_size
from compress.passes.settings import BudgetSettings
from compress.pictures import open_image
from compress.pipeline import published
from compress.preprocess import Preprocessing
from zoo import registry

NAME = "rate_accuracy"
NETWORK = "squeezenet1_0"
PREPROCESSING = Preprocessing.from_json(published.PREPROCESSING)
QPS = tuple(range(-38, -18, 2))
#: NNCodec's own settings, and those with its best curve here: the trellis weighs the rate, too. Its
#: opt_qp, scan order 1 and independent quantisation were worse; its codebooks were not smaller.
NNCODEC: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "best": ("--lambda-scale", "1", "--relative-bias-qp"),
}
#: Ours: settings beside the defaults, and sizes of the file.
OURS: Mapping[str, tuple[Mapping[str, Any], tuple[int, ...]]] = {
    "default": ({}, (440_000, 400_000, 385_000, 351_000, 327_000, 313_500, 292_000, 269_000)),
    "biases alone": ({"compensated": 0}, (400_000, 313_500)),
    "without images": ({"compensated": 0, "corrected": 0}, (400_000, 313_500)),
    "Fisher by layer": ({"importance": "layer"}, (400_000, 313_500)),
    "Fisher by weight": ({"importance": "weight"}, (400_000,)),
}
_PEER = Path(__file__).parents[1] / "peers" / "run_nncodec.py"
_BATCH = 10  # images; 20 and 50 were slower

Weights = Mapping[str, NDArray[np.float32]]  # by torchvision's names
Logits = NDArray[np.float32]  # (n, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """What a codec makes of the network."""

    codec: str
    setting: str
    n_bytes: int  #: of the file
    weights: Weights  #: as decoded
    versions: str = ""  #: of what this project does not use itself


def main() -> None:
    """Measure what is missing and write the table."""
    parser = argparse.ArgumentParser(description="Measure bytes against accuracy.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--nncodec-python", type=Path, metavar="PYTHON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    chosen = parser.parse_args()
    done: list[results_file.Row] = list(results_file.read(NAME))
    known = {(str(row["codec"]), str(row["setting"])) for row in done}
    pixels = images(chosen.root)
    dense = original(chosen.root)
    reference = outputs(network(dense), pixels)
    with tempfile.TemporaryDirectory() as folder:
        keep = chosen.keep or Path(folder)
        for coded in _coded(dense, pixels, chosen.nncodec_python, keep, known):
            done.append(row(coded, reference, pixels))
            results_file.write(NAME, done)
            print(done[-1], flush=True)


def images(root: Path) -> NDArray[np.uint8]:
    """Return the images, shape `(1000, 227, 227, 3)`, image k of class k."""
    paths = sorted((root / "imagenet-sample" / "val").glob("*/*.jpg"))
    return np.concatenate([PREPROCESSING.pixels([open_image(path)]) for path in paths])


def original(root: Path) -> Weights:
    """Return the weights as published."""
    model = _bare()
    source = root / "squeezenet-deep-compression" / "compressed_SqueezeNet.net"
    published.load_net(source, model, NETWORK)
    return {name: held.numpy() for name, held in model.state_dict().items()}


def unpacked(path: Path) -> Weights:
    """Return the weights in one of our own compressed files."""
    from onnx.numpy_helper import to_array

    graph = archive.restore(archive.read(path)).graph
    tensors = {tensor.name: tensor for tensor in model.tensors(graph)}
    return {name: to_array(tensors[name]) for name in _bare().state_dict()}


def network(weights: Weights) -> nn.Module:
    """Return the network as it was published, with these weights."""
    bare = _bare()
    bare.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    return bare.eval().to(memory_format=torch.channels_last)


def outputs(net: nn.Module, pixels: NDArray[np.uint8]) -> Logits:
    """Return the network's output for each image."""
    with torch.inference_mode():
        batches = [
            net(torch.from_numpy(PREPROCESSING.values(pixels[begin : begin + _BATCH]))).numpy()
            for begin in range(0, len(pixels), _BATCH)
        ]
    return np.concatenate(batches)


def row(coded: Coded, reference: Logits, pixels: NDArray[np.uint8]) -> results_file.Row:
    """Measure one coding of the network.

    Args:
        coded: what is measured.
        reference: the outputs of the network as published.
        pixels: all images.
    """
    logits = outputs(network(coded.weights), pixels)
    classes = np.arange(len(pixels))
    right, kl = logits.argmax(1) == classes, divergence(reference, logits)
    held = classes % 5 != 0
    ours = results_file.circumstances()["versions"]
    return {
        "codec": coded.codec,
        "setting": coded.setting,
        "bytes": coded.n_bytes,
        "top1_percent": round(100 * float(right.mean()), 2),
        "kl_mean": f"{kl.mean():.4e}",
        "top1_percent_800": round(100 * float(right[held].mean()), 3),
        "kl_mean_800": f"{kl[held].mean():.4e}",
        "versions": f"{coded.versions}; {ours}" if coded.versions else ours,
    }


def divergence(reference: Logits, logits: Logits) -> NDArray[np.float64]:
    """Return KL(softmax(reference) || softmax(logits)) of each row, in nats.

    >>> divergence(np.zeros((1, 2), np.float32), np.log(np.array([[1, 3]], np.float32))).round(6)
    array([0.143841])
    """
    p, q = (torch.from_numpy(x).double().log_softmax(1).numpy() for x in (reference, logits))
    kl: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1)
    return kl


def _coded(
    dense: Weights,
    pixels: NDArray[np.uint8],
    nncodec: Path | None,
    folder: Path,
    known: AbstractSet[tuple[str, str]],
) -> Iterator[Coded]:
    """Yield what is not known yet."""
    n_bytes = sum(value.nbytes for value in dense.values())
    if ("none", "float32") not in known:
        yield Coded(codec="none", setting="float32", n_bytes=n_bytes, weights=dense)
    if nncodec is not None:
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "original.safetensors"
        save_file(dict(dense), source)
        for setting, options in NNCODEC.items():
            found = _nncodec(nncodec, source, folder / setting, setting, options)
            yield from (c for c in found if (c.codec, c.setting) not in known)
    seen = torch.from_numpy(PREPROCESSING.values(pixels[::5]))
    for name, (beside, sizes) in OURS.items():
        for size in sizes:
            setting = f"{name}, {size}"
            if ("ours", setting) not in known:
                settings = BudgetSettings(target_bytes=size, **beside)
                yield _ours(dense, seen, settings, setting)


def _ours(dense: Weights, seen: Tensor, settings: BudgetSettings, setting: str) -> Coded:
    """Share the weights to a size; the file is the whole one that ships, graph included."""
    model = network(dense)
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "plain.onnx", Path(folder) / "packed.safetensors"

        def file_bytes(changed: nn.Module) -> int:
            export(changed, [seen[:2]], plain, OnnxSettings())
            convert.pack(plain, packed, coder="best")
            return packed.stat().st_size

        share_to_size(model, settings, file_bytes=file_bytes, samples=seen, seed=0)
        n_bytes = file_bytes(model)
        return Coded(codec="ours", setting=setting, n_bytes=n_bytes, weights=unpacked(packed))


def _nncodec(
    python: Path, source: Path, out: Path, setting: str, options: tuple[str, ...]
) -> Iterator[Coded]:
    command = [str(python), str(_PEER), str(source), str(out)]
    subprocess.run([*command, *options, "--qp", *map(str, QPS)], check=True)
    for qp in QPS:
        facts: dict[str, Any] = json.loads((out / f"qp{qp}.json").read_text())
        yield Coded(
            codec="nncodec",
            setting=f"{setting} qp={qp}",
            n_bytes=facts["bytes"],
            weights=load_file(out / f"qp{qp}.safetensors"),
            versions=facts["versions"],
        )


def _bare() -> nn.Module:
    bare = registry.get(NETWORK).build()
    published.as_published(bare, NETWORK)
    return bare


if __name__ == "__main__":
    main()

"""Bytes against accuracy after training: networks of different kinds, coded at several sizes.

    python -m benchmarks.tables.rate_accuracy ROOT [NAME …] [--nncodec-python PYTHON]
        [--keep FOLDER] [--trained FILE]

ROOT holds the data sets: `squeezenet-deep-compression/compressed_SqueezeNet.net`, Song Han's Deep
Compression of SqueezeNet v1.0; `imagenet-sample/val/<wnid>/*.jpg`, one image of each ImageNet
class; `stsb`, the STS benchmark; `cifar10-images`, CIFAR-10 as a folder of pictures. NAMEs are of
the zoo; by default those that need no FILE.

Codecs see no labels. Ours sees 200 samples: every fifth image of ImageNet's sample, else some of
the training part; the columns `_unseen` are of what it has not seen. `divergence` is how far the
outputs are from those of the network as published: for classes the mean KL divergence in nats,
which tells apart what right-or-wrongs cannot; for sentences' vectors the squared error as a part of
the square.

The images are not ImageNet's validation set: compare within this table only. Writes
`benchmarks/results/rate_accuracy.csv`; rows that are there already are kept. For PYTHON see
`benchmarks/peers/run_nncodec.py`; FOLDER keeps its bitstreams and what they decode to. FILE holds
resnet20's weights, which `compress run --recipe benchmarks/tables/resnet20.yaml --data ROOT/...`
trains and leaves in `$COMPRESS_CACHE/models`.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import nn

from benchmarks import results_file
from benchmarks.tables.rate_networks import NAMES, Case, case
from compress.artifact import convert
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.passes.context import Context
from compress.passes.network import Network
from compress.passes.settings import TargetBytesSettings
from compress.passes.target_bytes import to_size
from compress.passes.torch_network import TorchNetwork
from compress.runtime import load

NAME = "rate_accuracy"
#: NNCodec's own settings, and those with its best curve on SqueezeNet: the trellis weighs the rate,
#: too. There its opt_qp, scan order 1 and independent quantisation were worse; its codebooks were
#: not smaller.
NNCODEC: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "best": ("--lambda-scale", "1", "--relative-bias-qp"),
}
_PEER = Path(__file__).parents[1] / "peers" / "run_nncodec.py"

Weights = Mapping[str, NDArray[Any]]  # by the network's names


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured of a network."""

    sizes: tuple[int, ...]  #: of our file, with the default settings
    others: Mapping[str, tuple[Mapping[str, Any], tuple[int, ...]]] = field(default_factory=dict)
    qps: tuple[int, ...] = ()  #: of NNCodec; none where it is left out


PLANS: Mapping[str, Plan] = {
    "squeezenet1_0": Plan(
        sizes=(440_000, 400_000, 385_000, 351_000, 327_000, 313_500, 292_000, 269_000),
        others={
            "without images": ({"samples": 0}, (400_000, 313_500)),
            "Fisher by layer": ({"importance": "layer"}, (400_000, 313_500)),
            "Fisher by weight": ({"importance": "weight"}, (400_000,)),
        },
        qps=tuple(range(-38, -18, 2)),
    ),
    "efficientnet_lite0": Plan(
        sizes=(2_931_064, 2_000_000),
        others={
            "without samples": ({"samples": 0}, (2_931_064, 2_000_000)),
        },
        qps=(-38, -34, -32, -30, -26, -24),
    ),
    "all-minilm-l6-v2": Plan(sizes=(12_000_000, 9_000_000), qps=(-30, -26)),
    "resnet20": Plan(
        sizes=(150_000, 100_000),
        others={"without samples": ({"samples": 0}, (150_000, 100_000))},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """What a codec makes of the network."""

    codec: str
    setting: str
    n_bytes: int  #: of the file
    model: nn.Module  #: as decoded
    versions: str = ""  #: of what this project does not use itself


def main() -> None:
    """Measure what is missing and write the table."""
    parser = argparse.ArgumentParser(description="Measure bytes against accuracy.")
    parser.add_argument("root", type=Path)
    parser.add_argument("names", nargs="*", choices=NAMES, metavar="NAME")
    parser.add_argument("--nncodec-python", type=Path, metavar="PYTHON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--trained", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    for name in chosen.names or [name for name in NAMES if name != "resnet20" or chosen.trained]:
        rows = results_file.read(NAME)
        known = {(row["codec"], row["setting"]) for row in rows if row["network"] == name}
        own = case(name, chosen.root, chosen.trained)
        reference = own.outputs(own.model)
        with tempfile.TemporaryDirectory() as folder:
            keep = (chosen.keep or Path(folder)) / name
            for coded in _coded(own, PLANS[name], chosen.nncodec_python, keep, known):
                found = row(name, own, coded, reference)
                results_file.write(NAME, [*results_file.read(NAME), found])
                print(found, flush=True)


def row(name: str, own: Case, coded: Coded, reference: NDArray[np.float32]) -> results_file.Row:
    """Measure one coding of a network.

    Args:
        name: of the network.
        own: the network as published.
        coded: what is measured.
        reference: the outputs of the network as published.
    """
    outputs = own.outputs(coded.model)
    apart, everything = own.divergence(reference, outputs), np.ones(len(outputs), bool)
    ours = results_file.circumstances()["versions"]
    return {
        "network": name,
        "codec": coded.codec,
        "setting": coded.setting,
        "bytes": coded.n_bytes,
        "metric": own.metric,
        "percent": round(own.percent(outputs, everything), 2),
        "divergence": f"{apart.mean():.4e}",
        "percent_unseen": round(own.percent(outputs, own.unseen), 3),
        "divergence_unseen": f"{apart[own.unseen].mean():.4e}",
        "versions": f"{coded.versions}; {ours}" if coded.versions else ours,
    }


def _coded(
    own: Case, plan: Plan, nncodec: Path | None, folder: Path, known: AbstractSet[tuple[str, str]]
) -> Iterator[Coded]:
    """Yield what is not known yet."""
    weights = _weights(own.model)
    if ("none", "float32") not in known:
        n_bytes = sum(value.nbytes for value in weights.values())
        yield Coded(codec="none", setting="float32", n_bytes=n_bytes, model=own.model)
    for name, (beside, sizes) in {"default": ({}, plan.sizes), **plan.others}.items():
        for size in sizes:
            setting = f"{name}, {size}"
            if ("ours", setting) not in known:
                yield _ours(own, TargetBytesSettings(target_bytes=size, **beside), setting)
    if nncodec is not None:
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "original.safetensors"
        save_file(dict(weights), source)
        for setting, options in NNCODEC.items():
            for qp in plan.qps:
                if ("nncodec", f"{setting} qp={qp}") not in known:
                    yield _nncodec(own, nncodec, source, folder / setting, setting, options, qp)


def _ours(own: Case, settings: TargetBytesSettings, setting: str) -> Coded:
    """Share the weights to a size; the file is the whole one that ships, graph included."""
    model = copy.deepcopy(own.model)
    names = ("input_ids", "attention_mask") if len(own.seen) == 2 else ("input",)
    examples = [given[:2] for given in own.seen]
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "plain.onnx", Path(folder) / "packed.safetensors"

        def file_bytes(changed: Network) -> int:
            assert isinstance(changed, TorchNetwork)
            export(changed.model, examples, plain, OnnxSettings(), input_names=names)
            convert.pack(plain, packed, coder="best", force=True)
            return packed.stat().st_size

        network = TorchNetwork(model)
        context = Context(
            samples=lambda n: tuple(given[:n].numpy() for given in own.seen),
            file_bytes=file_bytes,
            scores=own.scores,
        )
        print(*to_size(network, settings, context).notes, sep="\n", flush=True)
        n_bytes = file_bytes(network)
        session = load(packed)
        given = dict(zip(names, (x.numpy() for x in examples), strict=True))
        (found,) = session.run(given).values()
        with torch.inference_mode():
            wanted = model(*examples).numpy()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * np.abs(wanted).max())
    return Coded(codec="ours", setting=setting, n_bytes=n_bytes, model=model)


def _nncodec(
    own: Case,
    python: Path,
    source: Path,
    out: Path,
    setting: str,
    options: tuple[str, ...],
    qp: int,
) -> Coded:
    command = [str(python), str(_PEER), str(source), str(out), *options, "--qp", str(qp)]
    subprocess.run(command, check=True)
    facts: dict[str, Any] = json.loads((out / f"qp{qp}.json").read_text())
    model = copy.deepcopy(own.model)
    decoded = load_file(out / f"qp{qp}.safetensors")
    held = {name: torch.from_numpy(value.copy()) for name, value in decoded.items()}
    model.load_state_dict(held, strict=False)
    return Coded(
        codec="nncodec",
        setting=f"{setting} qp={qp}",
        n_bytes=facts["bytes"],
        model=model,
        versions=facts["versions"],
    )


def _weights(model: nn.Module) -> Weights:
    """Return all floats that a network holds; others it counts its training with."""
    state = model.state_dict().items()
    return {name: held.numpy().copy() for name, held in state if held.is_floating_point()}


if __name__ == "__main__":
    main()

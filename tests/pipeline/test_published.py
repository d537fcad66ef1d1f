"""Song Han's published format, written here by its description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.console import compress
from tests.export.networks import initializers

MODEL = "squeezenet1_0"


def layers() -> list[tuple[str, tuple[int, ...]]]:
    from compress_zoo import registry

    held = registry.get(MODEL).build().named_parameters()
    return [(name, tuple(weight.shape)) for name, weight in held if weight.ndim > 1]


def nibbles(values: NDArray[np.uint8]) -> bytes:
    padded = np.append(values, np.zeros(len(values) % 2, np.uint8))
    return (padded[::2] | padded[1::2] << 4).astype(np.uint8).tobytes()


def encoded() -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """Return a file of eight-bit codes with gaps of up to 16, and the weights and biases in it."""
    random = np.random.default_rng(3)
    counts, parts = [], []
    tensors = {}
    for name, shape in layers():
        size = int(np.prod(shape))
        gaps = random.integers(0, 16, size // 9).astype(np.uint8)
        places = np.cumsum(gaps.astype(np.int64) + 1) - 1
        gaps, places = gaps[places < size], places[places < size]
        codebook = random.standard_normal(256).astype(np.float32)
        codebook[0] = 0
        codes = random.integers(1, 256, len(gaps)).astype(np.uint8)
        codes[gaps == 15] = 0
        weights = np.zeros(size, np.float32)
        weights[places] = codebook[codes]
        biases = random.standard_normal(shape[0]).astype(np.float32)
        counts.append(len(gaps))
        parts.append(codebook.tobytes() + biases.tobytes() + codes.tobytes() + nibbles(gaps))
        tensors[name] = weights.reshape(shape)
        tensors[name.removesuffix("weight") + "bias"] = biases
    return np.array(counts, "<u4").tobytes() + b"".join(parts), tensors


def test_a_published_file_is_imported(tmp_path: Path) -> None:
    data, tensors = encoded()
    file = tmp_path / "published.net"
    file.write_bytes(data)
    found = compress("import", file, "--model", MODEL, "--json").json()
    packed = tmp_path / "published.packed.safetensors"
    assert found == {
        "file": str(packed),
        "source_bytes": len(data),
        "artifact_bytes": packed.stat().st_size,
    }
    compress("unpack", packed, "-o", tmp_path / "model.onnx")
    held = initializers(tmp_path / "model.onnx")
    first, *_ = tensors
    tensors[first] = tensors[first][:, ::-1]  # Caffe's blue, green and red
    for name, values in tensors.items():
        assert np.array_equal(held[name].view(np.uint32), values.copy().view(np.uint32)), name
    rows = compress("inspect", packed, "--json").json()
    assert rows["metadata"]["model"] == MODEL
    assert rows["metadata"]["preprocessing"]["crop"] == [227, 227]


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        (MODEL, lambda data: data[:-1], f"does not hold {MODEL}: "),
        (MODEL, lambda data: data + b"x", f"does not hold {MODEL}: "),
        (MODEL, lambda data: b"", f"does not hold {MODEL}: "),
        (MODEL, lambda data: b"\xff" * 200, "entries do not fit in a layer of shape"),
        ("resnet18", lambda data: data, "a bias: conv1 has none"),
        ("squeezenet1", lambda data: data, "the nearest are squeezenet1_"),
    ],
)
def test_files_that_do_not_fit(model: str, change: object, said: str, tmp_path: Path) -> None:
    assert callable(change)
    file = tmp_path / "published.net"
    file.write_bytes(change(encoded()[0]))
    assert said in compress("import", file, "--model", model).error()
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    said = compress("import", tmp_path / "no.net", "--model", MODEL).error()
    assert said == f"{tmp_path / 'no.net'} cannot be read: No such file or directory"

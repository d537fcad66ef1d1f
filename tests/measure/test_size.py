"""Bytes of a hand-made file, by tensor and as the paper counts them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.artifact import archive
from compress.artifact.archive import Archive
from compress.measure.size import packed_bytes, paper_bytes, tensor_sizes

random = np.random.default_rng(5)
SHARED = random.choice(np.array([-0.5, 0.25, 1], np.float32), (64, 128))
SPARSE = np.where(random.random((100, 100)) < 0.1, SHARED[:50].reshape(-1)[0], np.float32(0))
DENSE = random.standard_normal((40, 50)).astype(np.float32)
BIAS = random.standard_normal(300).astype(np.float32)
TENSORS = {"shared": SHARED, "sparse": SPARSE, "dense": DENSE, "bias": BIAS}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    from onnx import helper, numpy_helper

    initializers = [numpy_helper.from_array(held, name) for name, held in TENSORS.items()]
    model = helper.make_model(helper.make_graph([], "four", [], [], initializers))
    path = tmp_path_factory.mktemp("size") / "four.safetensors"
    archive.write(path, model, {})
    return archive.read(path)


def entropy_bytes(array: NDArray[np.float32]) -> float:
    _, counts = np.unique(array, return_counts=True)
    shares = counts / array.size
    return float(-(counts * np.log2(shares)).sum() / 8)


def test_each_tensor_is_counted(file: Archive) -> None:
    sizes = {size.name: size for size in tensor_sizes(file)}
    assert list(sizes) == list(TENSORS)
    for name, array in TENSORS.items():
        size = sizes[name]
        assert (size.shape, size.weights) == (array.shape, array.size)
        assert size.nonzero == np.count_nonzero(array)
        assert size.distinct == len(np.unique(array[array != 0]))
        assert size.form
    assert sizes["shared"].n_bytes == pytest.approx(entropy_bytes(SHARED), rel=0.1)
    assert sizes["sparse"].n_bytes == pytest.approx(entropy_bytes(SPARSE), rel=0.15)
    assert 0.8 * DENSE.nbytes < sizes["dense"].n_bytes <= DENSE.nbytes + 64


def test_the_paper_counts_weights_only(file: Archive) -> None:
    sizes = {size.name: size.n_bytes for size in tensor_sizes(file)}
    weights = sizes["shared"] + sizes["sparse"] + sizes["dense"]
    counted = paper_bytes(file)
    assert counted <= weights < file.container.n_bytes
    assert weights - counted < 100  # the tables of codewords and the heads
    kinds = ("codes", "gaps", "codebooks", "dense")
    assert counted <= sum(file.ledger[kind] for kind in kinds) - 0.8 * BIAS.nbytes


def test_arrays_are_planned_as_a_file_codes_them(file: Archive) -> None:
    planned = packed_bytes([SHARED, SPARSE, DENSE, np.zeros((0, 3), np.float32)])
    sizes = {size.name: size.n_bytes for size in tensor_sizes(file)}
    assert planned == sizes["shared"] + sizes["sparse"] + sizes["dense"]

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.tasks.arrays import Rows
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays, Files
from compress.training.data import Batches, permutation, shares


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 5))
def test_shares_cover_every_place_once(count: int, batch: int, processes: int) -> None:
    parts = shares(count, batch, processes)
    places = [place for step in parts for part in step for place in range(count)[part]]
    assert places == list(range(count))
    sizes = [sum(len(range(count)[part]) for part in step) for step in parts]
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    assert all(len(step) == processes for step in parts)


def test_permutation_follows_from_its_words() -> None:
    assert sorted(permutation(50, 1, 2)) == list(range(50))
    assert np.array_equal(permutation(50, 1, 2), permutation(50, 1, 2))
    assert not np.array_equal(permutation(50, 1, 2), permutation(50, 2, 1))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_memory_and_workers_give_the_same(pictures: Arrays, mode: str) -> None:
    record = Preprocessing.from_json(
        {"mode": mode, "crop": [6, 6], "resize": 7, "mean": [0.3], "std": [0.2]}
    )
    order = [np.array([7, 3, 150]), np.array([0]), np.array([9, 9])]
    samples = Images(pictures, record)
    pixels = len(samples) * 36 * (3 if mode == "RGB" else 1)
    whole, half, none = (
        Batches(samples, memory_bytes=size, workers=2) for size in (4 * pixels, pixels, pixels - 1)
    )
    device = torch.device("cpu")
    got = [list(batches.iterate(order, device)) for batches in (whole, half, none)]
    for batches in got:
        for indices, (inputs, labels), (same, _) in zip(order, batches, got[0], strict=True):
            assert isinstance(inputs, torch.Tensor)
            assert isinstance(same, torch.Tensor)
            assert isinstance(labels, torch.Tensor)
            assert torch.equal(inputs, same)
            assert inputs.is_contiguous(memory_format=torch.channels_last)
            assert labels.tolist() == samples.labels[indices].tolist()
            assert inputs.shape == (len(indices), 3 if mode == "RGB" else 1, 6, 6)


def test_decoding_leaves_the_global_generator_alone(train: Images) -> None:
    before = torch.random.get_rng_state()
    list(Batches(train, memory_bytes=0).iterate([np.arange(4)], torch.device("cpu")))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_error_of_a_worker_arrives_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    files = Files((tmp_path / "a.png",), np.zeros(1, np.int64))
    samples = Images(files, Preprocessing(mode="L", crop=(8, 8)))
    batches = Batches(samples, memory_bytes=0, workers=1)
    with pytest.raises(DataError, match=r"^.*a\.png is not a readable image[^\n]*$"):
        list(batches.iterate([np.array([0])], torch.device("cpu")))


def test_no_samples(pictures: Arrays, preprocessing: Preprocessing) -> None:
    nothing = Images(pictures.take(pictures.labels < 0), preprocessing)
    with pytest.raises(DataError, match="samples must be at least one"):
        Batches(nothing)


def test_several_inputs_and_targets() -> None:
    arrays = np.arange(12.0).reshape(4, 3), np.arange(4)
    batches = Batches(Rows(arrays, arrays))
    (inputs, targets), _ = batches.iterate([np.array([2, 0]), np.array([1])], torch.device("cpu"))
    for values in (inputs, targets):
        assert isinstance(values, tuple)
        assert [held.tolist() for held in values] == [[[6, 7, 8], [0, 1, 2]], [2, 0]]
        assert [held.dtype for held in values] == [torch.float32, torch.int64]

from pathlib import Path

import numpy as np
import pytest
import torch
from compress_zoo.errors import ZooError
from compress_zoo.tasks.imagefolder import Files
from compress_zoo.tasks.task import Arrays
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.preprocess import Preprocessing
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
def test_memory_and_workers_give_the_same(train: Arrays, mode: str) -> None:
    record = Preprocessing.from_json(
        {"mode": mode, "crop": [6, 6], "resize": 7, "mean": [0.3], "std": [0.2]}
    )
    order = [np.array([7, 3, 150]), np.array([0]), np.array([9, 9])]
    pixels = len(train) * 36 * (3 if mode == "RGB" else 1)
    whole, half, none = (
        Batches(train, record, memory_bytes=size, workers=2)
        for size in (4 * pixels, pixels, pixels - 1)
    )
    device = torch.device("cpu")
    got = [list(batches.iterate(order, device)) for batches in (whole, half, none)]
    for batches in got:
        for indices, (inputs, labels), (same, _) in zip(order, batches, got[0], strict=True):
            assert torch.equal(inputs, same)
            assert labels.tolist() == train.labels[indices].tolist()
            assert inputs.shape == (len(indices), 3 if mode == "RGB" else 1, 6, 6)


def test_decoding_leaves_the_global_generator_alone(train: Arrays) -> None:
    record = Preprocessing(mode="L", crop=(8, 8))
    before = torch.random.get_rng_state()
    list(Batches(train, record, memory_bytes=0).iterate([np.arange(4)], torch.device("cpu")))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_error_of_a_worker_arrives_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    samples = Files((tmp_path / "a.png",), np.zeros(1, np.int64))
    batches = Batches(samples, Preprocessing(mode="L", crop=(8, 8)), memory_bytes=0, workers=1)
    with pytest.raises(ZooError, match=r"^.*a\.png is not a readable image[^\n]*$"):
        list(batches.iterate([np.array([0])], torch.device("cpu")))


def test_no_samples(train: Arrays, preprocessing: Preprocessing) -> None:
    nothing = train.take(train.labels < 0)
    with pytest.raises(DataError, match="samples must be at least one"):
        Batches(nothing, preprocessing)

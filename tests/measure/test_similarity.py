"""Ranks, pooling and sentences, against what is worked out by hand or written plainly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compress_zoo.tasks.stsb import Pairs
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress.errors import DataError, FormatError
from compress.measure.similarity import embed, pool, ranks, spearman, spearman_of
from tests import needs
from tests.texts import tokenizer


def plain_ranks(values: list[float]) -> list[float]:
    """Count for each value those below it, and half of the others that equal it."""
    return [
        1 + sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


@given(st.lists(st.integers(-3, 3), min_size=1))
def test_ranks_with_ties(values: list[float]) -> None:
    assert ranks(np.array(values)).tolist() == plain_ranks(values)


def test_spearman_of_a_textbook() -> None:
    # 1 - 6 * sum of squared differences / (n * (n^2 - 1)), which holds where nothing is tied
    iq = np.array([106, 100, 86, 101, 99, 103, 97, 113, 112, 110])
    hours = np.array([7, 27, 2, 50, 28, 29, 20, 12, 6, 17])
    assert spearman(iq, hours) == pytest.approx(1 - 6 * 194 / (10 * 99))
    assert spearman(iq, iq**3) == pytest.approx(1)
    assert spearman(iq, -iq) == pytest.approx(-1)


def test_spearman_needs_an_order() -> None:
    with pytest.raises(DataError, match="values that differ"):
        spearman(np.ones(4), np.arange(4))


def test_pooling_leaves_padding_out() -> None:
    states = np.array([[[1, 2], [3, 4], [np.nan, np.inf]], [[5, 6], [7, 8], [9, 10]]], np.float32)
    mask = np.array([[1, 1, 0], [0, 0, 0]])
    assert pool(states, mask).tolist() == [[2, 3], [0, 0]]


class Words:
    """A network whose states are a row for each token, and padding's is large."""

    TABLE = np.array([[99, 99], [0, 0], [1, 0], [0, 1], [1, 1]], np.float32)

    def __init__(self, batch: int | str = "batch", length: int | str = "tokens") -> None:
        names = ("input_ids", "attention_mask")
        self.inputs = [SimpleNamespace(name=name, shape=(batch, length)) for name in names]
        self.outputs = [SimpleNamespace(name="states")]
        self.shapes: set[tuple[int, ...]] = set()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert inputs.keys() == {"input_ids", "attention_mask"}
        self.shapes.add(inputs["input_ids"].shape)
        return {"states": self.TABLE[inputs["input_ids"]]}


TEXTS = ["cat", "cat dog", "dog bird bird", "unknown", "bird"]
VECTORS = [[1, 0], [0.5, 0.5], [2 / 3, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("batch", "length", "shapes"),
    [
        ("batch", "tokens", {(5, 3)}),
        ("batch", 8, {(5, 8)}),
        (2, "tokens", {(2, 2), (2, 3), (2, 1)}),
        (3, 4, {(3, 4)}),
    ],
)
def test_neither_batch_nor_padding_matters(
    batch: int | str, length: int | str, shapes: set[tuple[int, int]]
) -> None:
    network = Words(batch, length)
    seen: list[tuple[int, int]] = []
    vectors = embed(network, tokenizer(), TEXTS, progress=lambda *at: seen.append(at))
    np.testing.assert_allclose(vectors, VECTORS)
    assert network.shapes == shapes
    assert seen[-1] == (5, 5)


def test_long_texts_are_cut() -> None:
    network = Words()
    assert embed(network, tokenizer(), ["cat " * 500]).tolist() == [[1, 0]]
    assert network.shapes == {(1, 128)}
    assert embed(Words(length=2), tokenizer(), ["cat cat dog"]).tolist() == [[1, 0]]


def test_a_pair_without_a_vector_is_unlike() -> None:
    pairs = Pairs((("cat", "cat"), ("cat", "unknown"), ("cat", "bird")), np.array([5.0, 0, 2]))
    assert spearman_of(Words(), tokenizer(), pairs) == pytest.approx(1)


def test_vectors_that_are_not_finite_have_no_correlation() -> None:
    network = Words()
    network.TABLE = np.where(network.TABLE == 99, np.nan, network.TABLE)
    network.TABLE[2] = np.inf  # of "cat", three of the six sentences
    pairs = Pairs((("cat", "dog"), ("cat", "cat"), ("dog", "bird")), np.array([5.0, 0, 2]))
    with pytest.raises(DataError, match="not finite for 3 of 6 sentences, so it has no corr"):
        spearman_of(network, tokenizer(), pairs)


def test_what_does_not_fit() -> None:
    needs.module("tokenizers")
    with pytest.raises(FormatError, match=r"tokenizer\.json is no tokenizer"):
        embed(Words(), json.dumps({"model": {}}).encode(), TEXTS)
    images = Words()
    images.inputs = [SimpleNamespace(name="input", shape=("batch", 3, 8, 8))]
    with pytest.raises(DataError, match="must take input_ids and attention_mask"):
        embed(images, tokenizer(), TEXTS)
    flat = Words()
    flat.TABLE = np.ones(5, np.float32)
    with pytest.raises(DataError, match="must hold a vector a token"):
        embed(flat, tokenizer(), TEXTS)

"""Networks of several inputs and outputs, and parity that is not what a row allows."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from compress_zoo.entry import Entry, Input, Transformers
from compress_zoo.tasks.registry import get as task
from torch import Tensor, nn

from compress.errors import DataError, UnsupportedLayerError
from compress.pipeline import data, examples
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.references.subject import Subject, Torch
from compress.report.data import Report
from compress.tasks import Task

IDS, MASK = Input((8,), "input_ids", 100), Input((8,), "attention_mask", 2)
WORDS, FACTS = Input((7,), "words", 50), Input((4,), "facts")


class Reader(nn.Module):
    """Embedding, LSTM, GRU and a bilinear layer, on words and facts."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(32, 8, batch_first=True)
        self.joined = nn.Bilinear(4, 8, 3)

    def forward(self, words: Tensor, facts: Tensor) -> Any:
        held, state = self.gru(self.lstm(self.embedding(words))[0])
        joined = self.joined(facts, held[:, 0])
        return OrderedDict(held=held, rest=(None, [state, joined.argmax(-1)]), joined=joined)


def subject(network: Callable[[], nn.Module] = Reader, **facts: Any) -> Subject:
    source = Torch(build=lambda _: network())
    return Subject(**({"name": "net", "inputs": (WORDS, FACTS), "source": source} | facts))


def carried_out(tmp_path: Path, chosen: Subject, own: Task | None = None) -> Report:
    recipe = {"model": "net", "weights": "random", "prune": 0.5, "quantize": "3bit"}
    return run(from_mapping(recipe), chosen, tmp_path, task=own)


def test_inputs_and_outputs_of_all_kinds(tmp_path: Path) -> None:
    report = carried_out(tmp_path, subject())
    assert report.parity.max_rel <= 1e-5
    assert report.parity.within
    model = Reader()
    assert report.params == sum(held.numel() for held in model.parameters())
    shared = [row for row in report.layers if row.distinct <= 16]  # an LSTM's two directions join
    n_weights = sum(held.numel() for held in model.parameters() if held.ndim > 1)
    assert sum(row.weights for row in shared) == n_weights
    assert sum(row.nonzero for row in shared) == pytest.approx(n_weights / 2, abs=1)
    assert sum(row.distinct == 16 for row in shared) == 2

    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    assert [given.name for given in session.get_inputs()] == ["words", "facts"]
    assert [out.name for out in session.get_outputs()] == [f"output_{i}" for i in range(4)]
    for n in (1, 3):
        given = {"words": np.ones((n, 7), np.int64), "facts": np.ones((n, 4), np.float32)}
        shapes = [found.shape for found in session.run(None, given)]
        assert shapes == [(n, 7, 8), (1, n, 8), (n,), (n, 3)]


@pytest.mark.parametrize(
    ("config", "settings", "inputs", "weights"),
    [
        ("GPT2Config", {"n_layer": 1, "n_embd": 32, "n_head": 4, "n_positions": 16}, (IDS,), 5),
        pytest.param(
            "T5Config",
            {"num_layers": 1, "d_model": 32},
            (IDS, MASK, replace(IDS, name="next")),
            17,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_networks_of_transformers(
    config: str,
    settings: dict[str, int],
    inputs: tuple[Input, ...],
    weights: int,
    tmp_path: Path,
) -> None:
    """GPT-2 has linear layers of its own, T5 an embedding that three names share."""
    small = {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 1}
    source = Transformers(None, config, small | settings)
    entry = Entry("net", "family", source, inputs, 1, 1, "language-model", "paper")
    report = carried_out(tmp_path, subject(entry.build, inputs=inputs))
    assert report.parity.max_rel <= 1e-5
    assert report.params == sum(held.numel() for held in entry.build().parameters())
    shared = [row for row in report.layers if row.kind != "other" and len(row.shape) > 1]
    assert len(shared) == weights
    assert all(row.distinct <= 8 and row.nonzero < row.weights for row in shared)


def test_a_fixed_batch(tmp_path: Path) -> None:
    carried_out(tmp_path, subject(batch=1))
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    assert [given.shape for given in session.get_inputs()] == [[1, 7], [1, 4]]


def test_examples_follow_the_inputs() -> None:
    words, facts = examples.inputs_of(subject(), None, seed=0)
    assert (words.shape, words.dtype, facts.shape, facts.dtype) == (
        (2, 7), np.int64, (2, 4), np.float32,
    )  # fmt: skip
    assert 0 <= words.min() <= words.max() < 50
    assert examples.inputs_of(subject(batch=5), None, seed=0)[0].shape == (5, 7)
    many = examples.inputs_of(subject(inputs=(Input((9999,), "bits", 2),)), None, seed=0)[0]
    assert np.unique(many).tolist() == [0, 1]


def test_a_network_without_outputs(tmp_path: Path) -> None:
    class Nothing(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)

        def forward(self, x: Tensor) -> None:  # type: ignore[override]  # that is the point
            return None

    with pytest.raises(UnsupportedLayerError, match="Nothing returns no tensor"):
        carried_out(tmp_path, subject(Nothing, inputs=(FACTS,)))


def test_parity_beyond_what_is_allowed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        report = carried_out(tmp_path, subject(tolerance=1e-12))
    assert not report.parity.within
    (record,) = [held for held in caplog.records if held.name == "compress.pipeline.run"]
    assert record.getMessage().startswith("net: the file's outputs differ from the network's by ")
    assert record.getMessage().endswith("of the largest, more than the 1e-12 that is allowed")
    assert '"within": false' in (tmp_path / "report.json").read_text()
    assert "more than the 1e-12 that is allowed" in (tmp_path / "report.html").read_text()


def test_an_export_that_fails_says_why(tmp_path: Path) -> None:
    class Counting(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)

        def forward(self, x: Tensor) -> Any:
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(UnsupportedLayerError, match=r"torch cannot export Counting to ONNX: \w+"):
        carried_out(tmp_path, subject(Counting, inputs=(FACTS,)))


def test_tasks_with_classes_need_their_scores(tmp_path: Path) -> None:
    class Pixels(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(1, 10, 3, padding=1)

    image = subject(Pixels, inputs=(Input((1, 8, 8)),))
    said = r"gives a score for each of 10 classes, got net with .* \(2, 10, 8, 8\)$"
    with pytest.raises(DataError, match=said):
        carried_out(tmp_path, image, task("digits", Path()))


@pytest.mark.parametrize("inputs", [(WORDS,), (Input((1, 8, 8)), FACTS)])
def test_tasks_on_images_need_one_image(inputs: tuple[Input, ...]) -> None:
    with pytest.raises(DataError, match="task digits needs a network on"):
        data.load(task("digits", Path()), subject(inputs=inputs), None)

"""Training on sentences and on pairs of them, with a network small enough for a test."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from compress.tasks.texts import TextTask, texts_of
from compress.training.evaluate import evaluate
from compress.training.fit import FitReport, fit
from compress.training.settings import TrainSettings
from tests.tasks.test_texts import Named, Told, Words

ANIMALS = ("cat", "dog", "bird")
SETTINGS = TrainSettings(epochs=8, batch=16, optimizer="adam", lr=0.05, weight_decay=0.0)


class Encoder(nn.Module):
    """A vector for each token, or the scores of each text."""

    def __init__(self, width: int, *, pooled: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.pooled = nn.Embedding(5, width), pooled

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.words(ids) * mask[..., None]
        return states.sum(1) / mask.sum(1, keepdim=True) if self.pooled else states


def _texts(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(ANIMALS, random.integers(1, 7))) for _ in range(count)]


def _trained(task: TextTask, model: nn.Module) -> tuple[FitReport, TextTask]:
    suited = task.suited(Words().takes)
    train, validation = suited.load("train"), suited.load("validation")
    assert train is not None
    report = fit(model, SETTINGS, task=suited, train=train, validation=validation, seed=0)
    return report, suited


def test_sentences_of_classes() -> None:
    """Is a cat the most frequent animal?"""

    def part(count: int, seed: int) -> object:
        texts = _texts(count, seed)
        labels = [int(t.count("cat") > max(t.count("dog"), t.count("bird"))) for t in texts]
        return texts_of([(text,) for text in texts], labels)

    parts = {"train": part(160, 1), "validation": part(60, 2), "test": part(60, 3)}
    model = Encoder(2, pooled=True)
    report, task = _trained(Named(parts=parts), model)  # type: ignore[arg-type]
    assert report.best is not None
    assert report.best > 0.85
    test = task.load("test")
    assert test is not None
    assert evaluate(model, task, test) > 0.8


def test_pairs_by_their_scores() -> None:
    """How alike are two sentences whose animals cats and dogs are the same to us?"""
    kinds = {"cat": (1, 0), "dog": (1, 0), "bird": (0, 1)}

    def part(count: int, seed: int) -> object:
        pairs = list(zip(_texts(count, seed), _texts(count, seed + 100), strict=True))
        sums = np.array([[np.sum([kinds[w] for w in t.split()], 0) for t in p] for p in pairs])
        unit = sums / np.linalg.norm(sums, axis=2, keepdims=True)
        return texts_of(pairs, 5 * (unit[:, 0] * unit[:, 1]).sum(1))

    parts = {"train": part(160, 1), "validation": part(60, 2)}
    model = Encoder(4, pooled=False)
    report, task = _trained(Told(parts=parts), model)  # type: ignore[arg-type]
    first, best = report.validation[0], report.best
    assert first is not None
    assert best is not None
    assert best > max(0.9, first)
    validation = task.load("validation")
    assert validation is not None
    assert abs(evaluate(model, task, validation, batch=7) - best) < 1e-6

"""Padding is left out where a network gives the same without it, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.tasks import Samples
from compress.tasks.arrays import Rows
from compress.training.fit import fit
from compress.training.padding import unpadded
from compress.training.settings import TrainSettings
from tests.tasks.test_texts import SENTENCES, Named, Words

LENGTH = 12


class Mean(nn.Module):
    """The mean of tokens' vectors, of which padding is none."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.scores = nn.Embedding(5, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        kept = self.kept(mask)
        found: Tensor = self.scores((self.words(ids) * kept).sum(1) / kept.sum(1))
        return found

    def kept(self, mask: Tensor) -> Tensor:
        return mask[..., None].float()


class OfAll(Mean):
    """It takes padding for words."""

    def kept(self, mask: Tensor) -> Tensor:
        return torch.ones_like(mask)[..., None].float()


class OfOneLength(Mean):
    """It has a weight for each place."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.rand(LENGTH))

    def kept(self, mask: Tensor) -> Tensor:
        return mask[..., None] * self.places[:, None]


def task_and_samples() -> tuple[Named, Samples]:
    parts: Any = {"train": SENTENCES, "test": SENTENCES}
    task = Named(parts=parts).suited(Words(length=LENGTH).takes)
    samples = task.load("train")
    assert samples is not None
    return task, samples


def lengths(samples: Samples) -> set[int]:
    inputs, _ = samples.batch(np.arange(2))
    return {given.shape[1] for given in inputs}


@pytest.mark.parametrize(("kind", "length"), [(Mean, 3), (OfAll, LENGTH), (OfOneLength, LENGTH)])
def test_only_where_the_network_gives_the_same(kind: type[Mean], length: int) -> None:
    torch.manual_seed(0)
    task, samples = task_and_samples()
    model = kind().train()
    assert lengths(samples) == {LENGTH}
    assert lengths(unpadded(samples, model, task)) == {length}
    assert model.training


def test_samples_of_other_kinds_are_as_they_are() -> None:
    task, _ = task_and_samples()
    images = Rows((np.ones((3, 2), np.float32),), (np.zeros(3, np.int64),))
    assert unpadded(images, Mean(), task) is images


def test_a_training_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for way in (unpadded, lambda samples, *_: samples):
        monkeypatch.setattr("compress.training.fit.unpadded", way)
        torch.manual_seed(0)
        task, samples = task_and_samples()
        settings = TrainSettings(epochs=3, batch=2, lr=0.1)
        found = fit(Mean(), settings, task=task, train=samples, validation=samples, seed=0)
        losses.append(found.losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)

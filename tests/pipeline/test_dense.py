"""Where a dense baseline is kept: by all that decides its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from compress.pipeline.subject import Data, Subject
from compress_zoo.tasks.digits import Digits
from compress_zoo.tasks.task import Arrays
from torch import nn

from compress.pipeline import dense
from compress.preprocess import Preprocessing
from compress.training.settings import TrainSettings

SETTINGS = TrainSettings(epochs=1)
CPU = torch.device("cpu")


def samples(seed: int = 0) -> Arrays:
    """Make six pictures, whose labels do not follow from the seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 4, 4), np.uint8)
    return Arrays(pixels, np.arange(6) % 2)


DATA = Data(
    task=Digits(),
    classes=("cat", "dog"),
    preprocessing=Preprocessing(mode="L", crop=(4, 4)),
    train=samples(),
    validation=samples(1),
    test=samples(2),
)


def network(
    act: Callable[[torch.Tensor], torch.Tensor] = torch.relu, rate: float = 0.1
) -> nn.Module:
    """Build a network whose activation is in its code alone."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.drop = nn.Linear(16, 2), nn.Dropout(rate)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return act(self.drop(self.last(x.flatten(1))))

    return dense.seeded(Net, 0)


def place(**changes: Any) -> Path:
    """Return where a baseline is kept."""
    data = replace(DATA, **{k: v for k, v in changes.items() if hasattr(DATA, k)})
    subject = Subject(
        name="net", inputs=(), build=network, load_pretrained=lambda model: None,
        is_pretrained=False, task=data.task, root=Path(),
    )  # fmt: skip
    return dense.baseline_file(
        subject,
        data,
        changes.get("settings", SETTINGS),
        changes.get("seed", 0),
        model=changes.get("model", network()),
        device=CPU,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"train": samples(3)},
        {"validation": samples(3)},
        {"validation": None},
        {"classes": ("dog", "cat")},
        {"preprocessing": Preprocessing(mode="L", crop=(4, 4), scale=1.0)},
        {"settings": TrainSettings(epochs=2)},
        {"seed": 1},
        {"model": network(torch.tanh)},
        {"model": network(rate=0.2)},
        {"model": nn.Sequential(nn.Flatten(), nn.Linear(16, 2))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_decides_the_weights_decides_the_place(changes: dict[str, Any]) -> None:
    assert place(**changes) != place()


def test_what_does_not_decide_the_weights_is_left_out() -> None:
    assert place(test=samples(3), train=samples()) == place()


def test_threads_decide_in_which_order_floats_are_summed() -> None:
    here, threads = place(), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert place() != here
    finally:
        torch.set_num_threads(threads)


def test_the_network_is_left_as_it_was() -> None:
    model = network().train()
    place(model=model)
    assert model.training

import math

import pytest
import torch
from torch.optim import SGD

from compress.training.schedule import learning_rate
from compress.training.settings import TrainSettings


def _rates(settings: TrainSettings, steps_per_epoch: int, start: int = 0) -> list[float]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=settings.lr)
    schedule = learning_rate(optimizer, settings, steps_per_epoch=steps_per_epoch, step=start)
    rates = []
    for _ in range(start, settings.epochs * steps_per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_cosine() -> None:
    rates = _rates(TrainSettings(epochs=4, lr=0.2), 3)
    assert rates == pytest.approx([0.1 * (1 + math.cos(math.pi * s / 12)) for s in range(12)])


def test_warm_up_rises_to_the_highest_rate() -> None:
    rates = _rates(TrainSettings(epochs=3, lr=0.6, warmup_epochs=1, schedule="constant"), 5)
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5] + [0.6] * 10)


def test_warm_up_alone() -> None:
    assert _rates(TrainSettings(epochs=1, lr=1.0, warmup_epochs=1), 1) == [0.5]


@pytest.mark.parametrize("start", [1, 4, 9])
def test_started_in_the_middle(start: int) -> None:
    settings = TrainSettings(epochs=5, lr=0.3, warmup_epochs=1.5)
    assert _rates(settings, 2, start) == _rates(settings, 2)[start:]

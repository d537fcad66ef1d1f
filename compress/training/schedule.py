"""The learning rate over the steps: a linear warm-up, then a cosine to zero or a constant.

Source: Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts; Goyal et al. 2017,
arXiv:1706.02677, sec. 2.2 (warm-up).
"""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import assert_never

from compress.training.settings import TrainSettings


def learning_rate(
    optimizer: Optimizer, settings: TrainSettings, *, steps_per_epoch: int, step: int
) -> LambdaLR:
    """Return the schedule as it stands before `step`, counted from 0 over all epochs.

    A schedule that is made in the middle of a training gives the same rates, bit for bit, as one
    that has run from its start.
    """
    total, rise = settings.epochs * steps_per_epoch, settings.warmup_epochs * steps_per_epoch

    def factor(at: int) -> float:
        if at < rise:
            return (at + 1) / (rise + 1)
        match settings.schedule:
            case "constant":
                return 1.0
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * (at - rise) / max(total - rise, 1)))
            case _:
                assert_never(settings.schedule)

    for group in optimizer.param_groups:
        group["initial_lr"] = settings.lr
    return LambdaLR(optimizer, factor, last_epoch=step - 1)

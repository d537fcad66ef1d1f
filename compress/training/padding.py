"""Texts padded to the longest of a batch, where that is all that a network needs.

A file takes texts of one length. A network that is trained and measured on them has no use for the
rest, which is most of a batch: it is left out where the network gives the same without it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from compress.tasks import Samples, Task
from compress.tasks.task import Padded
from compress.training.data import Batches, answer

_FEW = 2  # samples, of which it is tried
_SAME = 1e-4  # part of a loss: sums in another order differ by less


def unpadded(samples: Samples, model: nn.Module, task: Task) -> Samples:
    """Return samples with no more padding than a batch needs, or as they are.

    Args:
        samples: of the task.
        model: it keeps its mode.
        task: whose loss tells whether the network gives the same.
    """
    if not isinstance(samples, Padded):
        return samples
    cut = samples.unpadded()
    training = model.training
    model.eval()
    try:
        (length, whole), (shorter, same) = (_tried(held, model, task) for held in (samples, cut))
    except Exception:  # noqa: BLE001  (a network may say anything to a length that is not its own)
        return samples
    finally:
        model.train(training)
    is_same = shorter < length and torch.allclose(whole, same, rtol=_SAME, atol=_SAME)
    return cut if is_same else samples


@torch.inference_mode()
def _tried(samples: Samples, model: nn.Module, task: Task) -> tuple[int, Tensor]:
    """Return the tokens of the first samples' inputs, and their loss."""
    device = next(model.parameters()).device
    order = np.arange(min(_FEW, len(samples)))
    ((inputs, targets),) = Batches(samples, memory_bytes=0, workers=0).iterate([order], device)
    tokens = sum(given.numel() for given in tree_leaves(inputs))
    return tokens, task.loss(answer(model, inputs), targets)

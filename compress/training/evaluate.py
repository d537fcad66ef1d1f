"""A task's metric of a network of torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compress.measure.evaluate import Order, Progress, batch_of, chunks, whole
from compress.measure.evaluate import figures as figures_of
from compress.tasks import Metric, Samples, Task
from compress.tasks.metric import Figures
from compress.tasks.outputs import all_of
from compress.training.data import Batches, Values, answer
from compress.training.padding import unpadded

_BATCH_VALUES = 4 << 20  # 27 images of 224x224: activations take many times the input's memory


def evaluate(
    model: nn.Module,
    task: Task,
    samples: Samples,
    *,
    batch: int | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> float:
    """Return the task's metric of a network on samples.

    The model is moved to the device and keeps its mode.

    Args:
        model: takes what the samples give.
        task: that the samples are of.
        samples: at least one.
        batch: samples at a time; by default as many as keep memory small, at most 256.
        device: where it runs.
        progress: called with the samples done and the samples in all.

    Raises:
        DataError: when the outputs of a sample are not finite: such a network has no metric.
    """
    batches, place = Batches(unpadded(samples, model, task)), torch.device(device)
    order = order_of(batches, batch)
    return whole(
        task.metric, figures(model.to(place), task.metric, batches, order, place, progress)
    )


def order_of(batches: Batches, batch: int | None = None) -> list[Order]:
    """Return all samples in order, as many at a time as keep memory small."""
    return chunks(len(batches), batch or batch_of(batches.samples, _BATCH_VALUES))


@torch.inference_mode()
def figures(
    model: nn.Module,
    metric: Metric,
    batches: Batches,
    order: Sequence[Order],
    device: torch.device,
    progress: Progress | None = None,
) -> Figures:
    """Return the metric's figures of the samples in `order`, at least one.

    Those of a sample whose outputs are not finite are NaN.
    """
    training = model.training
    model.eval()

    def forward(inputs: Values) -> Any:  # noqa: ANN401  (arrays, as the network's outputs are)
        outputs = tuple(map(_array, all_of(answer(model, inputs))))
        return outputs[0] if len(outputs) == 1 else outputs

    def given() -> Iterator[tuple[Values, Any]]:
        for inputs, targets in batches.iterate(order, device):
            held = tuple(map(_array, all_of(targets)))
            yield inputs, held if isinstance(targets, tuple) else held[0]

    try:
        return figures_of(forward, given(), metric, [len(part) for part in order], progress)
    finally:
        model.train(training)


def _array(held: Any) -> Any:  # noqa: ANN401  (an output that is no tensor stays)
    if not isinstance(held, Tensor):
        return held
    if held.dtype == torch.bfloat16:  # which numpy has not
        held = held.float()
    return held.cpu().numpy()

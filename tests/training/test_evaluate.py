import numpy as np
import pytest
import torch
from torch import nn

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.tasks import Task
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays
from compress.training.data import Batches
from compress.training.evaluate import evaluate, figures, order_of


class Oracle(nn.Module):
    """Answer by the first pixel, and badly while it is trained."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            return torch.zeros(len(inputs), 3)
        return nn.functional.one_hot((inputs[:, 0, 0, 0] * 255).round().long(), 3).float()


def test_accuracy_counts_what_is_right(task: Task, preprocessing: Preprocessing) -> None:
    labels = np.arange(100) % 3
    pixels = np.zeros((100, 8, 8), np.uint8)
    pixels[:, 0, 0] = labels
    pixels[:25, 0, 0] = (labels[:25] + 1) % 3
    model = Oracle().train()
    samples = Images(Arrays(pixels, labels), preprocessing)
    seen: list[tuple[int, int]] = []
    assert evaluate(model, task, samples, progress=lambda *at: seen.append(at)) == 0.75
    assert seen == [(100, 100)]
    assert evaluate(model, task, samples, batch=7) == 0.75
    assert model.training


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_outputs_that_are_not_finite_are_no_class(
    task: Task, preprocessing: Preprocessing, wrong: float
) -> None:
    class Broken(Oracle):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            scores = super().forward(inputs)
            return torch.where(scores[:, 2:] > 0, torch.full_like(scores, wrong), scores)

    labels = np.arange(9) % 3
    pixels = np.zeros((9, 8, 8), np.uint8)
    pixels[:, 0, 0] = labels
    pictures, model = Arrays(pixels, np.where(labels == 2, 0, labels)), Broken().eval()
    samples = Images(pictures, preprocessing)
    with pytest.raises(DataError, match="not finite for 3 of 9 samples, so it has no accuracy"):
        evaluate(model, task, samples)
    batches = Batches(samples)
    found = figures(model, task.metric, batches, [np.arange(9)], torch.device("cpu"))
    assert np.array_equal(found, np.where(labels == 2, np.nan, 1), equal_nan=True)


def test_large_images_come_in_small_batches(pictures: Arrays) -> None:
    big = Preprocessing(mode="RGB", crop=(224, 224), resize=256)
    assert len(order_of(Batches(Images(pictures, big), memory_bytes=0))[0]) == 27
    small = Preprocessing(mode="L", crop=(8, 8))
    assert len(order_of(Batches(Images(pictures, small)))[0]) == 200

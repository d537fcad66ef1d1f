import numpy as np
import pytest
import torch
from compress_zoo.tasks.task import Arrays
from torch import nn

from compress.errors import DataError
from compress.preprocess import Preprocessing
from compress.training.data import Batches
from compress.training.evaluate import accuracy, batch_of, correct


class Oracle(nn.Module):
    """Answer by the first pixel, and badly while it is trained."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            return torch.zeros(len(inputs), 3)
        return nn.functional.one_hot((inputs[:, 0, 0, 0] * 255).round().long(), 3).float()


def test_accuracy_counts_what_is_right(preprocessing: Preprocessing) -> None:
    labels = np.arange(100) % 3
    pixels = np.zeros((100, 8, 8), np.uint8)
    pixels[:, 0, 0] = labels
    pixels[:25, 0, 0] = (labels[:25] + 1) % 3
    model = Oracle().train()
    samples = Arrays(pixels, labels)
    assert accuracy(model, samples, preprocessing) == 0.75
    assert accuracy(model, samples, preprocessing, batch=7) == 0.75
    assert model.training


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_outputs_that_are_not_finite_are_no_class(
    preprocessing: Preprocessing, wrong: float
) -> None:
    class Broken(Oracle):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            scores = super().forward(inputs)
            return torch.where(scores[:, 2:] > 0, torch.full_like(scores, wrong), scores)

    labels = np.arange(9) % 3
    pixels = np.zeros((9, 8, 8), np.uint8)
    pixels[:, 0, 0] = labels
    samples, model = Arrays(pixels, np.where(labels == 2, 0, labels)), Broken().eval()
    with pytest.raises(DataError, match="not finite for 3 of 9 images, so it has no accuracy"):
        accuracy(model, samples, preprocessing)
    batches = Batches(samples, preprocessing)
    assert correct(model, batches, [np.arange(9)], torch.device("cpu")) == 6


def test_large_images_come_in_small_batches(train: Arrays) -> None:
    big = Preprocessing(mode="RGB", crop=(224, 224), resize=256)
    assert batch_of(Batches(train, big, memory_bytes=0)) == 27
    small = Preprocessing(mode="L", crop=(8, 8))
    assert batch_of(Batches(train, small)) == 256

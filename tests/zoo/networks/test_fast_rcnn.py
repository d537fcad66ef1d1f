import math

import pytest
import torch
from compress_zoo.detection import fast_rcnn
from compress_zoo.networks.fast_rcnn import multi_task_loss, truncate
from torch import nn


def test_regions_of_two_pictures_are_kept_apart() -> None:
    with torch.device("meta"):
        regions = torch.empty(2, 5, 4, dtype=torch.int64)
        scores, boxes = fast_rcnn(21)(torch.empty(2, 3, 64, 96), regions)
    assert (scores.shape, boxes.shape) == ((2, 5, 21), (2, 5, 21, 4))


def test_loss_by_hand() -> None:
    scores, given = torch.zeros(2, 2), torch.zeros(2, 2, 4)
    truth = torch.tensor([[0.5, 3.0, 0.0, 0.0]]).expand(2, 4)
    background = multi_task_loss(scores, given, torch.tensor([0, 0]), truth)
    assert background.item() == pytest.approx(math.log(2))
    objects = multi_task_loss(scores, given, torch.tensor([1, 1]), truth)
    assert objects.item() == pytest.approx(math.log(2) + 0.125 + 2.5)  # smooth L1 of 0.5 and of 3


def test_only_the_labels_box_is_trained() -> None:
    given = torch.zeros(1, 3, 4, requires_grad=True)
    multi_task_loss(torch.zeros(1, 3), given, torch.tensor([2]), torch.ones(1, 4)).backward()
    assert given.grad is not None
    assert given.grad[0, :2].abs().max() == 0
    assert given.grad[0, 2].abs().min() > 0


def test_truncation_at_full_rank_changes_nothing() -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(12, 7), torch.randn(3, 12)
    torch.testing.assert_close(truncate(layer, 7)(inputs), layer(inputs))


def test_truncation_is_the_best_of_its_rank() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 7)
    first, second = truncate(layer, 3)
    error = torch.linalg.matrix_norm(second.weight @ first.weight - layer.weight)
    lost = torch.linalg.svdvals(layer.weight)[3:]
    assert error.item() == pytest.approx(lost.square().sum().sqrt().item(), rel=1e-5)

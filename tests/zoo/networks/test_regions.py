import pytest
import torch
import torchvision

from zoo.networks.regions import RoiPool, deltas, move, rows


def test_rows_name_the_picture_and_order_the_corners() -> None:
    regions = torch.tensor([[[5, 6, 1, 2]], [[1, 9, 3, 4]]])
    assert rows(regions).tolist() == [[0, 1, 2, 5, 6], [1, 1, 4, 3, 9]]


def test_pooling_by_hand() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    pooled = RoiPool(2, scale=0.5)(maps, torch.tensor([[0, 0, 2, 6, 6]]))
    # cells 0 to 3 across and 1 to 3 down: two bins each, which share row 2
    assert pooled.tolist() == [[[[9, 11], [13, 15]]]]


def test_moving_is_the_inverse_of_deltas() -> None:
    torch.manual_seed(0)
    boxes, truth = torch.rand(2, 9, 4, dtype=torch.double)
    boxes[:, 2:] += boxes[:, :2] + 0.1
    truth[:, 2:] += truth[:, :2] + 0.1
    torch.testing.assert_close(move(boxes, deltas(boxes, truth)), truth)
    coder = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(deltas(boxes, truth), coder.encode_single(truth, boxes))


def test_deltas_by_hand() -> None:
    given = deltas(torch.tensor([0.0, 0, 10, 10]), torch.tensor([0.0, 0, 20, 10]))
    assert given.tolist() == pytest.approx([0.5, 0, 0.6931472, 0])

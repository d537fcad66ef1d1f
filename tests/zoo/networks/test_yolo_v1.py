import pytest
import torch
from compress_zoo.detection import yolo_v1
from compress_zoo.networks.yolo_v1 import decode, encode, loss
from torch import nn


def test_layers_are_the_papers() -> None:
    with torch.device("meta"):
        model = yolo_v1(20)
        assert model(torch.empty(1, 3, 448, 448)).shape == (1, 7, 7, 30)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 24
    assert model.fc1.weight.numel() == 205_520_896


def cells_of(truth: torch.Tensor) -> torch.Tensor:
    """What a perfect network gives: both boxes are the object's."""
    box, there = truth[..., :4], truth[..., 4:5]
    return torch.cat([box, there, box, torch.zeros_like(there), truth[..., 5:]], -1)


def test_decoding_is_the_inverse_of_encoding() -> None:
    box = torch.tensor([0.1, 0.2, 0.5, 0.9])
    truth = encode(box[None], torch.tensor([2]), 3)
    boxes, scores = decode(cells_of(truth)[None])
    best = scores[0].amax(1).argmax()
    assert boxes.shape == (1, 98, 4)
    torch.testing.assert_close(boxes[0, best], box)
    assert scores[0, best].tolist() == [0, 0, 1]


def test_perfect_cells_cost_nothing() -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.9], [0.7, 0.7, 1.0, 1.0]])
    truth = encode(boxes, torch.tensor([1, 0]), 3)
    assert truth[..., 4].sum() == 2
    assert loss(cells_of(truth)[None], truth[None]).item() == pytest.approx(0, abs=1e-9)


def test_loss_by_hand() -> None:
    truth = encode(torch.tensor([[0.0, 0.0, 2 / 7, 2 / 7]]), torch.tensor([0]), 2)[None]
    cells = cells_of(truth)
    row, column = 1, 1  # the centre is on the corner of four cells: the last has it
    cells[0, row, column, 0] += 0.1  # responsible, as the other box is moved further
    cells[0, row, column, 5] += 1.0
    cells[0, row, column, 10:] = torch.tensor([0.5, 0.0])
    cells[0, 0, 0, 4] = 0.4  # confidence where nothing is
    overlap = (2 - 0.1) / (2 + 0.1)
    wanted = 5 * 0.1**2 + (1 - overlap) ** 2 + 0.5**2 + 0.5 * 0.4**2
    assert loss(cells, truth).item() == pytest.approx(wanted, rel=1e-5)

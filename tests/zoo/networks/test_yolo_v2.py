import math

import pytest
import torch
from compress_zoo.detection import yolo_v2
from compress_zoo.networks.yolo_v2 import ANCHORS, decode
from torch import nn


def test_sizes_and_parameters_are_the_published_networks() -> None:
    with torch.device("meta"):
        model = yolo_v2(20)
        fine = model.fine(torch.empty(1, 3, 416, 416))
        assert fine.shape == (1, 512, 26, 26)
        assert model.passthrough(fine).shape == (1, 256, 13, 13)
        assert model(torch.empty(2, 3, 320, 352)).shape == (2, 5, 25, 10, 11)  # sizes may change
    assert sum(p.numel() for p in model.parameters()) == 50_655_389
    backbone = [*model.fine.modules(), *model.coarse.modules()]
    assert sum(isinstance(layer, nn.Conv2d) for layer in backbone) == 18  # Darknet-19 less its last


def test_passthrough_stacks_neighbours() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.device("meta"):
        stack = yolo_v2(1).passthrough[1]
    assert stack(maps)[0, :, 0, 0].tolist() == [0, 1, 4, 5]


def test_decoding_by_hand() -> None:
    maps = torch.zeros(1, 5, 7, 2, 4)  # two classes, 2 rows of 4 cells
    maps[0, 1, 2, 1, 3] = math.log(2)  # twice as wide
    maps[0, 1, 4, 1, 3] = 20.0  # confidence of 1
    maps[0, 1, 6, 1, 3] = math.log(3)  # the second class is three times as probable
    boxes, scores = decode(maps)
    assert boxes.shape == (1, 40, 4)
    best = int(scores[0].amax(1).argmax())
    assert best == (1 * 4 + 3) * 5 + 1
    assert scores[0, best].tolist() == pytest.approx([0.25, 0.75])
    left, top, right, bottom = boxes[0, best].tolist()
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((3.5 / 4, 1.5 / 2))
    width, height = ANCHORS[1]
    assert (right - left, bottom - top) == pytest.approx((2 * width / 4, height / 2))

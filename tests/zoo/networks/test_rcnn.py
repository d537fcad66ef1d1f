import torch
from compress_zoo.detection import rcnn
from compress_zoo.networks.rcnn import warp
from torch import nn


def test_layers_are_alexnets() -> None:
    """All but its last layer: 60,965,224 parameters less 1000 outputs of 4096."""
    with torch.device("meta"):
        model = rcnn(20)
    own = [*model.svm.parameters(), *model.box.parameters()]
    shared = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in own)
    assert shared == 60_965_224 - 1000 * 4097


def test_every_region_has_scores_and_boxes() -> None:
    with torch.device("meta"):
        scores, boxes = rcnn(20)(torch.empty(5, 3, 227, 227))
    assert (scores.shape, boxes.shape) == ((5, 20), (5, 20, 4))


def test_warp_shows_the_box_inside_its_context() -> None:
    picture = torch.full((1, 40, 60), 1.0)
    picture[:, 10:30, 20:30] = 2.0
    square = warp(picture, torch.tensor([[20, 10, 30, 30]]), side=52, context=16)
    assert square.shape == (1, 1, 52, 52)
    inner = square[0, 0, 16:36, 16:36]  # 20 pixels: the box's 10 across are doubled
    assert inner[:, 1:-1].min() == 2.0
    assert square[0, 0, :15].max() == 1.0
    assert square[0, 0, :, :14].max() == 1.0


def test_warp_of_the_same_size_is_a_crop() -> None:
    torch.manual_seed(0)
    picture = torch.randn(3, 30, 40)
    square = warp(picture, torch.tensor([[8, 6, 18, 16]]), side=14, context=2)
    torch.testing.assert_close(square[0], picture[:, 4:18, 6:20])


def test_outside_the_picture_is_the_mean() -> None:
    square = warp(torch.ones(1, 10, 10), torch.tensor([[0, 0, 10, 10]]), side=20, context=5)
    assert square[0, 0, :4].abs().max() == 0
    assert square[0, 0, 6:14, 6:14].min() == 1


def test_response_normalization_is_caffes() -> None:
    norm = rcnn(1).norm
    assert isinstance(norm, nn.LocalResponseNorm)
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 1e-4, 0.75, 1)

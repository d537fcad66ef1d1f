import torch
from compress_zoo.segmentation import deeplab_largefov


def test_size_and_weights_are_the_papers() -> None:
    with torch.device("meta"):
        model = deeplab_largefov(21)
        images = torch.empty(1, 3, 321, 321)
        assert model.score_map(images).shape == (1, 21, 41, 41)
        assert model(images).shape == (1, 21, 321, 321)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 20.5  # table 2 of sec. 5


def test_scores_meet_the_corners_of_the_image() -> None:
    torch.manual_seed(0)
    model, images = deeplab_largefov(3).eval(), torch.randn(1, 3, 33, 41)
    with torch.no_grad():
        scores, small = model(images), model.score_map(images)
    assert small.shape[2:] == (5, 6)
    torch.testing.assert_close(scores[:, :, ::32, ::40], small[:, :, ::4, ::5])

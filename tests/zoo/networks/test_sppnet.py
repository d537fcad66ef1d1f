import math

import torch
from compress_zoo.detection import sppnet
from compress_zoo.networks.sppnet import project


def test_pyramid_has_50_bins() -> None:
    with torch.device("meta"):
        model = sppnet(20)
        assert model.fc6.in_features == 256 * 50
        assert model.features(torch.empty(1, 3, 480, 640)).shape == (1, 256, 30, 40)


def test_projection_is_the_papers() -> None:
    corners = torch.arange(0, 200, 7)
    regions = torch.stack([corners * 0, corners, corners, corners + 90, corners + 90], 1)
    for (_, left, *_), (_, first, top, last, bottom) in zip(
        regions.tolist(), project(regions).tolist(), strict=True
    ):
        assert first == top == math.floor(left / 16) + 1
        assert last == bottom == math.ceil((left + 90) / 16) - 1


def test_region_of_the_whole_picture_is_pooled_as_the_classifier_pools() -> None:
    """One bin is the maximum of the cells that the region covers."""
    torch.manual_seed(0)
    model, picture = sppnet(2).eval(), torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        maps = model.features(picture)
        pooled = model.spp[3](maps, project(torch.tensor([[0, 0, 0, 96, 96]])))
    assert maps.shape[2:] == (6, 6)
    torch.testing.assert_close(pooled[0, :, 0, 0], maps[0, :, 1:, 1:].amax((1, 2)))

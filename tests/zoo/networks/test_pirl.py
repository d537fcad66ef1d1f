import math

import pytest
import torch
from compress_zoo.errors import ZooError
from compress_zoo.networks.pirl import PIRL, jigsaw, pirl_loss
from torch import nn
from torch.nn import functional


class Trunk(nn.Module):
    """2048 features of an image: its mean, times a constant vector."""

    def forward(self, images):
        return images.mean((1, 2, 3))[:, None] * torch.linspace(-1, 1, 2048)


def test_heads_see_the_trunks_features() -> None:
    torch.manual_seed(0)
    network, image = PIRL(Trunk()).eval(), torch.randn(2, 3, 8, 8)
    patches = torch.randn(2, 9, 3, 4, 4)
    with torch.no_grad():
        of_image, of_patches = network(image, patches)
        expected = functional.normalize(network.image_head(Trunk()(image)), dim=1)
        each = torch.cat([network.patch_head(Trunk()(patches[:, i])) for i in range(9)], dim=1)
    torch.testing.assert_close(of_image, expected)
    torch.testing.assert_close(of_patches, functional.normalize(network.jigsaw_head(each), dim=1))


def test_patches_come_one_from_each_cell() -> None:
    places = torch.arange(225.0)
    grid = torch.stack([places[:, None].expand(225, 225), places.expand(225, 225)])
    images = torch.cat([grid, grid[:1]])[None].repeat(2, 1, 1, 1)  # pixels that know their place
    patches = jigsaw(images, torch.Generator().manual_seed(0))
    assert patches.shape == (2, 9, 3, 64, 64)
    corners, ends = patches[:, :, :2, 0, 0], patches[:, :, :2, -1, -1]
    cells = corners // 75
    assert torch.equal(cells, ends // 75)  # no patch crosses a border
    for of_image in cells:
        assert sorted((3 * of_image[:, 0] + of_image[:, 1]).tolist()) == list(range(9))
    assert not torch.equal(cells[0], cells[1])
    with pytest.raises(ZooError, match="225 x 225, got"):
        jigsaw(images[..., :224], torch.Generator())


def test_loss_by_hand() -> None:
    torch.manual_seed(0)
    image, patches, remembered, negatives = (
        functional.normalize(torch.randn(count, 4), dim=1) for count in (2, 2, 2, 3)
    )

    def nce(vector, right):
        scores = [math.exp(vector @ other / 0.07) for other in (right, *negatives)]
        h = [score / sum(scores) for score in scores]
        return -math.log(h[0]) - sum(math.log(1 - other) for other in h[1:])

    expected = sum(
        0.25 * nce(g, m) + 0.75 * nce(f, m)
        for f, g, m in zip(image, patches, remembered, strict=True)
    )
    found = pirl_loss(image, patches, remembered, negatives, weight=0.25)
    assert found.item() == pytest.approx(expected / 2, rel=1e-3)

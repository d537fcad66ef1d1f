import math

import pytest
import torch
from compress_zoo.networks.cmc import CMC, contrastive_loss, rgb_to_lab
from torch.nn import functional


@pytest.mark.parametrize(
    ("rgb", "lab"),  # known values of CIE Lab under D65
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 1.0, 0.0), (87.73, -86.18, 83.18)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
    ],
)
def test_colours(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    image = torch.tensor(rgb)[:, None, None].expand(2, 3, 4, 5)
    found = rgb_to_lab(image)
    assert found.shape == (2, 3, 4, 5)
    assert found[1, :, 2, 3].tolist() == pytest.approx(lab, abs=0.02)


def test_views_are_lightness_and_colour() -> None:
    torch.manual_seed(0)
    network, lab = CMC().eval(), torch.randn(1, 3, 224, 224)
    grey = lab.clone()
    grey[:, 1:] = 0
    with torch.no_grad():
        lightness, colour = network(lab)
        lightness_of_grey, colour_of_grey = network(grey)
    assert torch.equal(lightness, lightness_of_grey)
    assert not torch.equal(colour, colour_of_grey)
    assert lightness.norm().item() == pytest.approx(1, abs=1e-5)


def test_loss_has_both_directions() -> None:
    torch.manual_seed(0)
    lightness, colour = (functional.normalize(torch.randn(2, 4), dim=1) for _ in range(2))
    other_lightness, other_colour = (
        functional.normalize(torch.randn(3, 4), dim=1) for _ in range(2)
    )

    def surprise(anchor, right, others):
        scores = [math.exp(anchor @ vector / 0.07) for vector in (right, *others)]
        return -math.log(scores[0] / sum(scores))

    expected = sum(
        surprise(one, two, other_colour) + surprise(two, one, other_lightness)
        for one, two in zip(lightness, colour, strict=True)
    )
    found = contrastive_loss(lightness, colour, other_lightness, other_colour)
    assert found.item() == pytest.approx(expected / 2, rel=1e-4)

import math

import pytest
import torch
from compress_zoo.networks.prelu_net import SpatialPyramidPooling, initialize, prelu_net_a
from compress_zoo.registry import get
from torch import nn


def test_work_and_depth_are_those_of_table_3() -> None:
    assert get("prelu-net-a").macs == pytest.approx(1.90e10, rel=0.005)
    with torch.device("meta"):
        layers = list(prelu_net_a(1000))
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in layers) == 19
    assert sum(isinstance(layer, nn.PReLU) for layer in layers) == 18


def test_pyramid_by_hand() -> None:
    pool = SpatialPyramidPooling(14, (7, 3, 2, 1))
    assert pool.bins == 63
    x = torch.arange(14.0 * 14).reshape(1, 1, 14, 14)
    pooled = pool(x)[0]
    assert pooled.shape == (63,)
    # the maximum of a window is its last pixel: windows of 5 start at 0, 4 and 8
    three = [14 * row + column for row in (4, 8, 12) for column in (4, 8, 12)]
    assert pooled[49:58].tolist() == three
    assert pooled[58:].tolist() == [6 * 14 + 6, 6 * 14 + 13, 13 * 14 + 6, 13 * 14 + 13, 195]


def test_levels_follow_each_other_with_all_channels_each() -> None:
    x = torch.randn(2, 5, 14, 14, generator=torch.Generator().manual_seed(0))
    pooled = SpatialPyramidPooling(14, (2, 1))(x)
    assert pooled.shape == (2, 25)
    torch.testing.assert_close(pooled[:, 20:], x.amax((2, 3)))


def test_initialization_keeps_the_variance() -> None:
    torch.manual_seed(0)
    slope, layers = 0.25, []
    for _ in range(30):
        layers += [nn.Linear(400, 400), nn.PReLU(400, init=slope)]
    network = nn.Sequential(*layers)
    initialize(network, slope)
    x = torch.randn(64, 400)
    # a rectifier of slope a keeps (1 + a^2) / 2 of the mean square; the weights give it back
    before, after = x.square().mean().item(), network(x).square().mean().item()
    assert after == pytest.approx(before, rel=0.5)
    deviation = math.sqrt(2 / ((1 + slope**2) * 400))
    assert network[0].weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert not network[0].bias.any()

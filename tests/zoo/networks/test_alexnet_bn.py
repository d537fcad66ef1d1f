import pytest
import torch
from compress_zoo.networks.alexnet_bn import convolutions
from torch import nn


@pytest.mark.parametrize(("divisor", "maps"), [(1, 256), (2, 128)])
def test_maps_end_as_6_by_6(divisor: int, maps: int) -> None:
    with torch.device("meta"):
        layers = convolutions(2, divisor)
        assert layers(torch.empty(1, 2, 224, 224)).shape == (1, maps, 6, 6)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in layers) == 3


def test_halves_have_half_the_maps() -> None:
    with torch.device("meta"):
        half = [layer for layer in convolutions(1, 2, bias=False) if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in half] == [48, 128, 192, 192, 128]
    assert all(layer.bias is None for layer in half)

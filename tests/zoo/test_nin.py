import torch
from compress_zoo.registry import get
from torch import nn


def test_maps_halve_twice_and_are_averaged() -> None:
    shapes = []
    with torch.device("meta"):
        x = torch.empty(2, 3, 32, 32)
        for layer in get("nin").build().children():
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d | nn.AdaptiveAvgPool2d):
                shapes.append(tuple(x.shape[1:]))
    assert shapes == [(96, 16, 16), (192, 8, 8), (10, 1, 1)]


def test_no_fully_connected_layer() -> None:
    kinds = {type(layer) for layer in get("nin").build().modules()}
    assert nn.Conv2d in kinds
    assert nn.Linear not in kinds

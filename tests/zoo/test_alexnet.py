import torch
from compress_zoo.registry import get
from torch import nn


def test_layers_are_those_of_deep_compressions_table_4() -> None:
    with torch.device("meta"):
        model = get("alexnet-caffe").build()
    weights = {
        name: layer.weight.numel()
        for name, layer in model.named_children()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    thousands = {name: round(number / 1000) for name, number in weights.items()}
    assert thousands == {
        "conv1": 35, "conv2": 307, "conv3": 885, "conv4": 664, "conv5": 442,
        "fc6": 37749, "fc7": 16777, "fc8": 4096,
    }  # fmt: skip


def test_feature_sizes_are_the_papers() -> None:
    shapes = []
    with torch.device("meta"):
        x = torch.empty(1, 3, 227, 227)
        for layer in get("alexnet-caffe").build().children():
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                shapes.append(tuple(x.shape[1:]))
    assert shapes == [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)]


def test_normalization_is_caffes() -> None:
    norm = get("alexnet-caffe").build().get_submodule("norm1")
    x = torch.zeros(1, 8, 1, 1)
    x[0, 3] = 100.0
    expected = 100.0 / (1 + 1e-4 / 5 * 100.0**2) ** 0.75
    torch.testing.assert_close(norm(x)[0, 3, 0, 0], torch.tensor(expected))

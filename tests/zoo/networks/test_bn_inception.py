import torch
from compress_zoo.networks.bn_inception import Inception, bn_inception
from torch import nn


def test_output_sizes_are_those_of_figure_5() -> None:
    shapes = {}
    with torch.device("meta"):
        x = torch.empty(1, 3, 224, 224)
        for name, layer in bn_inception(1000).named_children():
            x = layer(x)
            shapes[name] = tuple(x.shape[1:])
    figure = {
        "conv1": (64, 112, 112), "pool1": (64, 56, 56),
        "conv2": (192, 56, 56), "pool2": (192, 28, 28),
        "inception_3a": (256, 28, 28), "inception_3b": (320, 28, 28),
        "inception_3c": (576, 14, 14),
        "inception_4a": (576, 14, 14), "inception_4b": (576, 14, 14),
        "inception_4c": (576, 14, 14), "inception_4d": (576, 14, 14),
        "inception_4e": (1024, 7, 7),
        "inception_5a": (1024, 7, 7), "inception_5b": (1024, 7, 7), "pool5": (1024, 1, 1),
    }  # fmt: skip
    assert {name: shapes[name] for name in figure} == figure


def test_depth() -> None:
    with torch.device("meta"):
        model = bn_inception(1000)
    deepest = 4  # the separable convolution, conv2 with its reduction; of each module the longest
    deepest += 3 * sum(isinstance(layer, Inception) for layer in model)
    assert deepest == 34
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in model.modules())
    assert convolutions == norms + 1  # one norm for both halves of the separable convolution

"""One stage of VGG-16: what the segmentation networks made of it share."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

#: convolutions and output channels of the five stages. Source: arXiv:1409.1556, table 1, D
STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def vgg_stage(number: int, *, dilation: int = 1, padded: bool = True) -> nn.Sequential:
    """Build the 3x3 convolutions of one stage, each with its ReLU, without the pooling.

    Args:
        number: of the stage, 1 to 5; the layers are named after it: conv3_1, conv3_2 ...
        dilation: spacing of the filters' taps; 2 stands for one stride that was taken away.
        padded: keep the size of the map.
    """
    n_convolutions, channels = STAGES[number - 1]
    below = STAGES[number - 2][1] if number > 1 else 3
    padding = dilation if padded else 0
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(1, n_convolutions + 1):
        layers[f"conv{number}_{index}"] = nn.Conv2d(
            below, channels, 3, padding=padding, dilation=dilation
        )
        layers[f"relu{number}_{index}"] = nn.ReLU()
        below = channels
    return nn.Sequential(layers)

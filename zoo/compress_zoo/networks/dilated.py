"""Dilated convolutions: a front end that keeps the resolution, a module that gathers context.

The front end is VGG-16 without its last two poolings; the layers after them are dilated by 2 and
by 4 instead. The paper drops the padding inside as well: the image is reflected at its border once,
by what all the layers together take away. The context module then sees 67 x 67 cells of the map
with 3x3 filters alone, as their dilation doubles from layer to layer. It keeps the number of
classes as its width, so that in its basic form it costs 64 C^2 weights (28,224 for 21 classes)
beside the 134 million of the front end, of which 103 million are in fc6.

Source: Yu & Koltun 2015, arXiv:1511.07122, sec. 3 and 4, table 1.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.vgg_stage import vgg_stage

_STRIDE = 8
_MARGIN = 186  # what the front end takes from each side of the image: the map has its size / 8
_DILATIONS = (1, 1, 2, 4, 8, 16, 1)
_WIDTHS = {"basic": (1, 1, 1, 1, 1, 1, 1), "large": (2, 2, 4, 8, 16, 32, 32)}  # times the classes


class FrontEnd(nn.Module):
    """VGG-16 that gives a map of scores at an eighth of the image's resolution."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.margin = nn.ReflectionPad2d(_MARGIN)
        self.stage1 = vgg_stage(1, padded=False)
        self.stage2 = vgg_stage(2, padded=False)
        self.stage3 = vgg_stage(3, padded=False)
        self.stage4 = vgg_stage(4, padded=False)
        self.stage5 = vgg_stage(5, padded=False, dilation=2)
        self.fc6 = nn.Conv2d(512, 4096, 7, dilation=4)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.final = nn.Conv2d(4096, num_classes, 1)
        self.pool, self.relu, self.dropout = nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores, `(batch, classes, height / 8, width / 8)`.

        Args:
            images: of more than 186 pixels a side (what is reflected), a multiple of 8.
        """
        maps = self.pool(self.stage1(self.margin(images)))
        maps = self.pool(self.stage2(maps))
        maps = self.pool(self.stage3(maps))
        maps = self.stage5(self.stage4(maps))
        maps = self.dropout(self.relu(self.fc6(maps)))
        maps = self.dropout(self.relu(self.fc7(maps)))
        scores: Tensor = self.final(maps)
        return scores


def context_module(num_classes: int, form: Literal["basic", "large"] = "basic") -> nn.Sequential:
    """Build the module of table 1, which at the start hands its input through."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    below = num_classes
    for number, (dilation, width) in enumerate(zip(_DILATIONS, _WIDTHS[form], strict=True), 1):
        channels = width * num_classes
        layers[f"conv{number}"] = nn.Conv2d(below, channels, 3, padding=dilation, dilation=dilation)
        layers[f"relu{number}"] = nn.ReLU()
        below = channels
    layers["conv8"] = nn.Conv2d(below, num_classes, 1)
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            set_identity(layer, num_classes)
    return nn.Sequential(layers)


@torch.no_grad()
def set_identity(layer: nn.Conv2d, num_classes: int) -> None:
    """Let a layer hand each class's maps to the same class's, and add noise to break ties.

    Source: eqs. 4 and 5. The basic form, of one map a class, has no ties and no noise.
    """
    below, above = layer.in_channels, layer.out_channels
    from_class = torch.arange(below) * num_classes // below
    to_class = torch.arange(above) * num_classes // above
    share = num_classes / above  # the sum over the maps of a class is kept
    identity = (to_class[:, None] == from_class[None, :]) * share
    centre = layer.kernel_size[0] // 2
    if below == above == num_classes:
        layer.weight.zero_()
    else:
        layer.weight.normal_(std=0.01 * share)
    layer.weight[:, :, centre, centre] += identity.to(layer.weight)
    assert layer.bias is not None
    layer.bias.zero_()


class DilatedContext(nn.Module):
    """The front end, the context module, and the way back to the image's resolution."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.front_end = FrontEnd(num_classes)
        self.context = context_module(num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores before the softmax, `(batch, classes, height, width)`."""
        scores = self.context(self.front_end(images))
        return functional.interpolate(scores, scale_factor=float(_STRIDE), mode="bilinear")

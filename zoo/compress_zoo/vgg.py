"""VGG: very deep plain networks of 3x3 convolutions.

Of VGG-16's 138 M weights, 124 M are in three fully connected layers that are pruned to 4% and
less: Deep Compression's largest gain (49x). `vgg16_bn` has a BatchNorm behind each convolution,
which came after the paper.

Source: Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, D and E; the networks are torchvision's.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Torchvision, image

# fmt: off
ENTRIES = (
    #     name        family source                   input               params            MACs  task           paper
    Entry("vgg16",    "vgg", Torchvision("vgg16"),    image(224), 138_357_544, 15_470_264_320, "imagefolder", "arXiv:1409.1556"),
    Entry("vgg19",    "vgg", Torchvision("vgg19"),    image(224), 143_667_240, 19_632_062_464, "imagefolder", "arXiv:1409.1556"),
    Entry("vgg16_bn", "vgg", Torchvision("vgg16_bn"), image(224), 138_365_992, 15_470_264_320, "imagefolder", "arXiv:1409.1556"),
)

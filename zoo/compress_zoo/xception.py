"""Xception: Inception's idea taken to its end, all convolutions depthwise separable.

Large for a network of its kind, and 99% of its weights are in 1x1 convolutions and the last
layer: it is pruned and shared like a stack of fully connected layers.

Source: Chollet 2017, arXiv:1610.02357; the network is timm's port of Chollet's own (the other
Xceptions there are later forms made for segmentation).
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Timm, image
from compress_zoo.published import pixels

# fmt: off
ENTRIES = (
    #     name        family      source                   input           params           MACs  task           paper
    Entry("xception", "xception", Timm("legacy_xception"), image(299), 22_855_952, 8_357_403_496, "imagefolder", "arXiv:1610.02357", preprocessing=pixels(299, 333, mean=[0.5], std=[0.5])),
)

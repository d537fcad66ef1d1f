"""PReLU-net: rectifiers with a learned slope, and the initialization that deep rectifiers need.

Model A is VGG-19 with a 7x7 convolution of stride 2 in front and the three others of its largest
maps moved to smaller ones: as much work in less time. Of its 178 M weights 153 M are in three
fully connected layers, 132 M in the first, which reads a spatial pyramid of 63 bins; they prune as
VGG's do. The slopes, one a channel, are some 15,000 numbers and stay dense.

Source: He et al. 2015, arXiv:1502.01852, table 3, model A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def prelu_net_a(num_classes: int) -> nn.Module:
    """Build model A."""
    from compress_zoo.networks.prelu_net import prelu_net_a as build

    return build(num_classes)


# fmt: off
ENTRIES = (
    #     name           family       source                  input            params            MACs  task           paper
    Entry("prelu-net-a", "prelu-net", Own(prelu_net_a, 1000), image(224), 178_032_072, 19_058_106_368, "imagefolder", "arXiv:1502.01852"),
)

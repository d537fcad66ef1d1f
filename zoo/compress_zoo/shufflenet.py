"""ShuffleNets: cheap pointwise convolutions, and channels that change places between them.

Version 1 splits the 1x1 convolutions, where other small networks have nearly all their weights,
into groups; version 2 splits channels instead, for speed on real processors. What groups save
cannot be pruned again, and the last layer is half of version 1's weights.

Source: Zhang et al. 2018, arXiv:1707.01083; Ma et al. 2018, arXiv:1807.11164, torchvision's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn

#: Channels of stage 2 at 1x, by the number of groups. Source: Table 1.
WIDTHS: Mapping[int, int] = MappingProxyType({1: 144, 2: 200, 3: 240, 4: 272, 8: 384})


def shufflenet_v1(num_classes: int, groups: int = 3) -> nn.Module:
    """Build ShuffleNet 1x with a number of groups that Table 1 has."""
    from compress_zoo.networks.shufflenet import ShuffleNet

    return ShuffleNet(groups, WIDTHS[groups], num_classes)


# fmt: off
ENTRIES = (
    #     name                  family        source                             input          params         MACs  task           paper
    Entry("shufflenet-v1",      "shufflenet", Own(shufflenet_v1, 1000),          image(224), 1_865_728, 137_460_672, "imagefolder", "arXiv:1707.01083"),
    Entry("shufflenet_v2_x1_0", "shufflenet", Torchvision("shufflenet_v2_x1_0"), image(224), 2_278_604, 144_907_992, "imagefolder", "arXiv:1807.11164"),
)

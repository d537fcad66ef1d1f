"""NASNet and AmoebaNet: cells that were searched for, by reinforcement learning and by evolution.

A cell is found on CIFAR-10 and repeated, wider, for other sizes; both searches share one space.
Nearly all weights are in 1x1 convolutions, many of them small: little is left of the large
layers that pruning and sharing live on, and depthwise kernels hold few weights each.

Source: Zoph et al. 2018, arXiv:1707.07012; Real et al. 2019, arXiv:1802.01548; nasnetalarge is
timm's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, Timm, image
from compress_zoo.genotypes import AMOEBANET_A, NASNET_A
from compress_zoo.published import pixels

if TYPE_CHECKING:
    from torch import nn


def nasnet_a_mobile(num_classes: int) -> nn.Module:
    """Build NASNet-A (4 @ 1056): N = 4, F = 44, and 1056 features for the last layer.

    Padding is alike on both sides, where TensorFlow's pads the end more. The auxiliary classifier
    of the paper's training is left out; it uses no dropped paths at this size.
    """
    from torch import nn

    from compress_zoo.networks.cells import CellNetwork

    return CellNetwork(
        NASNET_A,
        stem=nn.Conv2d(3, 32, 3, stride=2, bias=False),
        stem_cells=2,
        cells=4,
        width=44,
        num_classes=num_classes,
        dropout=0.5,
    )


def amoebanet_a(num_classes: int, width: int = 32) -> nn.Module:
    """Build AmoebaNet-A for CIFAR-10: N = 6, F = 32.

    The paper trains it with an auxiliary classifier and dropped paths, which are left out.
    """
    from torch import nn

    from compress_zoo.networks.cells import CellNetwork

    return CellNetwork(
        AMOEBANET_A,
        stem=nn.Conv2d(3, 3 * width, 3, padding=1, bias=False),
        stem_cells=0,
        cells=6,
        width=width,
        num_classes=num_classes,
        dropout=0.0,
    )


# fmt: off
ENTRIES = (
    #     name               family    source                      input            params            MACs  task           paper
    Entry("nasnetalarge",    "nasnet", Timm("nasnetalarge"),         image(331), 88_753_150, 23_783_414_658, "imagefolder", "arXiv:1707.07012", preprocessing=pixels(331, 363, mean=[0.5], std=[0.5])),
    Entry("nasnet-a-mobile", "nasnet", Own(nasnet_a_mobile, 1000),   image(224),  5_289_978,    563_638_816, "imagefolder", "arXiv:1707.07012"),
    Entry("amoebanet-a",     "nasnet", Own(amoebanet_a, 10),         image(32),   2_567_754,    407_671_808, "cifar10",     "arXiv:1802.01548"),
)

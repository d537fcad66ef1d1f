"""Residual networks on CIFAR-10, thin and deep or wide.

The papers' small networks, which pruning papers report on most. Nearly all weights are in 3x3
convolutions: the classifier of a thin network has 650, its shortcuts (option A) have none.
ResNet-20 has so few weights that little can be pruned; WRN-28-10 has 21 times as many as
ResNet-110 for 2.4 points less error, so much of them can go.

Source: He et al. 2015, arXiv:1512.03385, table 6; He et al. 2016, arXiv:1603.05027; Zagoruyko &
Komodakis 2016, arXiv:1605.07146.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def resnet(depth: int, num_classes: int) -> nn.Module:
    """Build the original network of `depth` layers."""
    from compress_zoo.networks import cifar_resnet

    return cifar_resnet.resnet(depth, num_classes)


def preact_resnet(depth: int, num_classes: int) -> nn.Module:
    """Build the network of `depth` layers with pre-activation."""
    from compress_zoo.networks import cifar_resnet

    return cifar_resnet.preact_resnet(depth, num_classes)


def wide_resnet(depth: int, widening: int, num_classes: int) -> nn.Module:
    """Build the network of `depth` layers, `widening` times as wide as the thin ones."""
    from compress_zoo.networks import cifar_resnet

    return cifar_resnet.wide_resnet(depth, widening, num_classes)


# fmt: off
ENTRIES = (
    #     name                family          source                                 input          params           MACs  task       paper
    Entry("resnet20",         "cifar-resnet", Own(partial(resnet, 20), 10),          image(32),    269_722,    40_551_040, "cifar10", "arXiv:1512.03385"),
    Entry("resnet56",         "cifar-resnet", Own(partial(resnet, 56), 10),          image(32),    853_018,   125_485_696, "cifar10", "arXiv:1512.03385"),
    Entry("resnet110",        "cifar-resnet", Own(partial(resnet, 110), 10),         image(32),  1_727_962,   252_887_680, "cifar10", "arXiv:1512.03385"),
    Entry("preact-resnet110", "cifar-resnet", Own(partial(preact_resnet, 110), 10),  image(32),  1_727_962,   252_887_680, "cifar10", "arXiv:1603.05027"),
    Entry("wrn-28-10",        "cifar-resnet", Own(partial(wide_resnet, 28, 10), 10), image(32), 36_479_194, 5_243_328_768, "cifar10", "arXiv:1605.07146"),
)

"""CapsNet: capsules with three iterations of dynamic routing, on MNIST.

Of its 6.8 M weights 78% are in the convolution that makes the primary capsules and 22% in the
matrices by which each of 1152 capsules predicts the digits. Routing has no weights but much
traffic: what is small here is not fast. The decoder (1.4 M) that reconstructs the image only
helps training: it stands beside the network in zoo.networks.capsnet, and the row is without it.

Source: Sabour et al. 2017, arXiv:1710.09829, sections 4 and 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def capsnet(num_classes: int) -> nn.Module:
    """Build the network without its decoder."""
    from compress_zoo.networks.capsnet import CapsNet

    return CapsNet(num_classes)


# fmt: off
ENTRIES = (
    #     name       family     source            input                     params       MACs  task     paper
    Entry("capsnet", "capsnet", Own(capsnet, 10), image(28, channels=1), 6_804_224, 200_871_936, "mnist", "arXiv:1710.09829"),
)

"""Networks that act: the first deep Q-network.

The weights are in one fully connected layer, as in the LeNets, so it compresses as they do.

Source: Mnih et al. 2013, arXiv:1312.5602.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def dqn(num_classes: int) -> nn.Module:
    """Build the network of 2013; a class is an action, of which the console has 18."""
    from compress_zoo.networks.dqn import DQN

    return DQN(num_classes)


# fmt: off
ENTRIES = (
    #     name   family     source        input                  params       MACs  task       paper
    Entry("dqn", "control", Own(dqn, 18), image(84, channels=4), 680_770, 2_970_112, "control", "arXiv:1312.5602"),
)

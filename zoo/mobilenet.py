"""MobileNets: depthwise separable convolutions, for phones.

Already small and with little redundancy: the hard case for pruning and sharing, above all in the
depthwise layers with nine weights a channel.

Source: Sandler et al. 2018, arXiv:1801.04381 (v2); the networks are torchvision's.
"""

from __future__ import annotations

from zoo.entry import Entry, Torchvision, image

# fmt: off
ENTRIES = (
    #     name            family       source                       input             params         MACs  task           paper
    Entry("mobilenet_v2", "mobilenet", Torchvision("mobilenet_v2"), image(224), 3_504_872, 300_774_272, "imagefolder", "arXiv:1801.04381"),
)

"""SqueezeNet: AlexNet's accuracy with 50 times fewer weights, all in small convolutions.

The network that was made to be compressed further: its paper prunes and shares it to 0.47 MB.

Source: Iandola et al. 2016, arXiv:1602.07360; the networks are torchvision's.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Torchvision, image

# fmt: off
ENTRIES = (
    #     name            family        source                        input             params         MACs  task           paper
    Entry("squeezenet1_0", "squeezenet", Torchvision("squeezenet1_0"), image(224), 1_248_424, 818_924_576, "imagefolder", "arXiv:1602.07360"),
    Entry("squeezenet1_1", "squeezenet", Torchvision("squeezenet1_1"), image(224), 1_235_496, 349_151_936, "imagefolder", "arXiv:1602.07360"),
)

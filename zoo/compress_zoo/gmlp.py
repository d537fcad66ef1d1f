"""gMLP: no attention; gates that a matrix over positions computes.

All weights are in plain matrices, those over positions small (196 x 196). timm begins with zeros in
the last layer, so that the network says 0 to all images until it is trained.

Source: Liu et al. 2021, arXiv:2105.08050. The network is timm's.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Timm, image
from compress_zoo.published import pixels

# fmt: off
ENTRIES = (
    #     name            family  source                input           params           MACs  task           paper
    Entry("gmlp_s16_224", "gmlp", Timm("gmlp_s16_224"), image(224), 19_422_656, 4_392_060_928, "imagefolder", "arXiv:2105.08050", preprocessing=pixels(224, 256, mean=[0.5], std=[0.5])),
)

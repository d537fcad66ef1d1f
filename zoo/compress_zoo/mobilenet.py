"""MobileNets: depthwise separable convolutions, for phones.

Already small and with little redundancy: the hard case for pruning and sharing, above all in the
depthwise layers with nine weights a channel. Version 2 adds inverted residuals, version 3 squeeze
and excitation and a search.

Source: Howard et al. 2017, arXiv:1704.04861 (v1), timm's; Sandler et al. 2018, arXiv:1801.04381
(v2) and Howard et al. 2019, arXiv:1905.02244 (v3), torchvision's.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Timm, Torchvision, image
from compress_zoo.published import pixels

# fmt: off
ENTRIES = (
    #     name                  family       source                             input          params         MACs  task           paper
    Entry("mobilenetv1_100",    "mobilenet", Timm("mobilenetv1_100"),           image(224), 4_231_976, 568_740_352, "imagefolder", "arXiv:1704.04861", preprocessing=pixels(224, 256, mean=[0.5], std=[0.5])),
    Entry("mobilenet_v2",       "mobilenet", Torchvision("mobilenet_v2"),       image(224), 3_504_872, 300_774_272, "imagefolder", "arXiv:1801.04381"),
    Entry("mobilenet_v3_large", "mobilenet", Torchvision("mobilenet_v3_large"), image(224), 5_483_032, 216_589_760, "imagefolder", "arXiv:1905.02244"),
    Entry("mobilenet_v3_small", "mobilenet", Torchvision("mobilenet_v3_small"), image(224), 2_542_856,  56_510_400, "imagefolder", "arXiv:1905.02244"),
)

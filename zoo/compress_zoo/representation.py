"""Networks that learn representations without labels, by clusters, prediction or agreement.

What is deployed is what gives the representation; clusters, losses and memories are for training
and stand beside it in zoo.networks. AlexNets have their weights in fully connected layers, the
others in convolutions and a GRU.

Source: Caron et al. 2018, arXiv:1807.05520; van den Oord et al. 2018, arXiv:1807.03748; Tian et
al. 2019, arXiv:1906.05849; Misra & van der Maaten 2019, arXiv:1912.01991.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, image

if TYPE_CHECKING:
    from torch import nn


def deepcluster_alexnet() -> nn.Module:
    """Build the AlexNet up to its 4096 features, Sobel filter in front."""
    from compress_zoo.networks.deepcluster import DeepClusterAlexNet

    return DeepClusterAlexNet()


def cpc() -> nn.Module:
    """Build encoder and autoregressive part for audio, the first form in the paper."""
    from compress_zoo.networks.cpc import CPC

    return CPC()


def cmc() -> nn.Module:
    """Build the two half AlexNets; the input is in Lab."""
    from compress_zoo.networks.cmc import CMC

    return CMC()


def pirl() -> nn.Module:
    """Build torchvision's ResNet-50 with the heads for image and jigsaw."""
    from torch import nn
    from torchvision.models import resnet50

    from compress_zoo.networks.pirl import PIRL

    trunk = resnet50(weights=None)
    trunk.fc = nn.Identity()
    return PIRL(trunk)


_AUDIO = (Input((1, 20_480), "waveform"),)
_PICTURE_AND_PATCHES = (*image(224), Input((9, 3, 64, 64), "patches"))

# fmt: off
ENTRIES = (
    #     name                   family            source                    input                    params           MACs  task              paper
    Entry("deepcluster-alexnet", "representation", Own(deepcluster_alexnet), image(224),           58_272_480, 1_096_924_864, "representation", "arXiv:1807.05520"),
    Entry("cpc",                 "representation", Own(cpc),                 _AUDIO,                5_841_920, 3_183_476_736, "representation", "arXiv:1807.03748"),
    Entry("cmc",                 "representation", Own(cmc),                 image(224),           29_687_760,   566_104_336, "representation", "arXiv:1906.05849"),
    Entry("pirl",                "representation", Own(pirl),                _PICTURE_AND_PATCHES, 24_180_160, 7_092_699_136, "representation", "arXiv:1912.01991"),
)

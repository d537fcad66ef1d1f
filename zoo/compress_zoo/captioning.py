"""Networks between pictures and sentences: one writes captions, one scores how well they fit.

Both have a network that was trained on ImageNet for the picture and a recurrent one for the words.

Source: Vinyals et al. 2014, arXiv:1411.4555; Karpathy & Fei-Fei 2014, arXiv:1412.2306.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, image

if TYPE_CHECKING:
    from torch import nn

_CAPTION_WORDS = 12_000  # of the authors' published code; the paper gives no number
_COCO_WORDS = 8_791  # that come five times in the captions of COCO


def show_and_tell() -> nn.Module:
    """Build torchvision's GoogLeNet and the LSTM.

    The paper's GoogLeNet has batch normalisation, as torchvision's has.
    """
    from torchvision.models import googlenet

    from compress_zoo.networks.show_and_tell import WIDTH, ShowAndTell

    encoder = googlenet(weights=None, num_classes=WIDTH, aux_logits=False, init_weights=True)
    return ShowAndTell(encoder, _CAPTION_WORDS)


def dvsa() -> nn.Module:
    """Build the scoring network on torchvision's AlexNet, without its classifier.

    The paper's is Caffe's AlexNet: it has two groups and local response normalisation, and nearly
    as many weights.
    """
    from torchvision.models import alexnet

    from compress_zoo.networks.dvsa import DVSA

    cnn = alexnet(weights=None)
    cnn.classifier = cnn.classifier[:-1]
    return DVSA(cnn, _COCO_WORDS)


_PICTURE_AND_CAPTION = (*image(224), Input((20,), "caption", _CAPTION_WORDS))
_REGIONS_AND_WORDS = (Input((20, 3, 224, 224), "regions"), Input((16,), "words", _COCO_WORDS))

# fmt: off
ENTRIES = (
    #     name             family        source              input                 params            MACs  task          paper
    Entry("show-and-tell", "captioning", Own(show_and_tell), _PICTURE_AND_CAPTION, 20_525_952,  1_664_796_672, "captioning", "arXiv:1411.4555"),
    Entry("dvsa",          "captioning", Own(dvsa),          _REGIONS_AND_WORDS,   67_042_140, 14_336_889_600, "retrieval",  "arXiv:1412.2306"),
)

"""Segmentation: a label for every pixel, by networks that were made for a label a picture.

What all share is how they get their resolution back: FCN by skipping strides and enlarging the
scores, DeepLab and the dilated networks by filters whose taps lie apart. Their weights are those
of the classifier underneath; their cost is its cost on far larger maps.

Source: Long et al. 2015, arXiv:1411.4038; Chen et al. 2014 and 2017, arXiv:1412.7062 and
1706.05587; Yu & Koltun 2015, arXiv:1511.07122.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn

_COCO = "COCO_WITH_VOC_LABELS_V1"
_NO_BACKBONE = {"weights_backbone": None}  # else torchvision downloads a trained one


def deeplab_largefov(num_classes: int) -> nn.Module:
    """Build DeepLab-LargeFOV without its CRF: that is `zoo.dense_crf`."""
    from compress_zoo.networks.deeplab import DeepLabLargeFov

    return DeepLabLargeFov(num_classes)


def dilated_context(num_classes: int) -> nn.Module:
    """Build the front end with the basic context module.

    The row's picture is as small as can be reflected by 186 pixels, in multiples of 8: the margin
    alone makes it 564 pixels wide.
    """
    from compress_zoo.networks.dilated import DilatedContext

    return DilatedContext(num_classes)


# fmt: off
ENTRIES = (  # facts only; the test recomputes every number
    #     name                  family          source                                                  input            params             MACs  task            paper
    Entry("fcn_resnet50",       "segmentation", Torchvision("fcn_resnet50", _COCO, _NO_BACKBONE),       image(224),  32_957_013,  26_484_498_432, "segmentation", "arXiv:1411.4038"),
    Entry("deeplabv3_resnet50", "segmentation", Torchvision("deeplabv3_resnet50", _COCO, _NO_BACKBONE), image(224),  39_638_869,  31_310_548_992, "segmentation", "arXiv:1706.05587"),
    Entry("deeplab-largefov",   "segmentation", Own(deeplab_largefov, 21),                              image(321),  20_505_429,  50_928_085_696, "segmentation", "arXiv:1412.7062"),
    Entry("dilated-context",    "segmentation", Own(dilated_context, 21),                               image(192), 134_374_973, 165_887_638_272, "segmentation", "arXiv:1511.07122"),
)

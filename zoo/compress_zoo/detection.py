"""Detection: where the objects of a picture are, and what.

The R-CNN line scores regions (each warped; each pooled from a shared map; at last its own
proposals), YOLO and SSD score a fixed set of boxes at once. Until Faster R-CNN, nearly all weights
are in fully connected layers, where pruning takes most; after it, in convolutions.

No row selects boxes: the number of what is left would be the shape of its output. The last step
stands beside: `zoo.networks.detectors.select` for torchvision's, `decode` for the YOLOs, `move` for
the R-CNN line.

Source: see each network's file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compress_zoo.entry import Entry, Input, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn

_COCO = "COCO_V1"
_NO_BACKBONE = {"weights_backbone": None}  # else torchvision downloads a trained one
# 200 regions a level before suppression, not 1000: all of them are scored, 875 at 320 x 320.
_PROPOSALS = {**_NO_BACKBONE, "rpn_pre_nms_top_n_test": 200}


def rcnn(num_classes: int) -> nn.Module:
    """Build the region network of R-CNN, with its SVMs and box regressors."""
    from compress_zoo.networks.rcnn import Rcnn

    return Rcnn(num_classes)


def sppnet(num_classes: int) -> nn.Module:
    """Build SPP-net's ZF-5 for detection, with its SVMs and box regressors."""
    from compress_zoo.networks.sppnet import SppNet

    return SppNet(num_classes)


def fast_rcnn(num_classes: int) -> nn.Module:
    """Build Fast R-CNN on VGG-16."""
    from compress_zoo.networks.fast_rcnn import FastRcnn

    return FastRcnn(num_classes)


def yolo_v1(num_classes: int) -> nn.Module:
    """Build YOLO as its figure 3 shows it."""
    from compress_zoo.networks.yolo_v1 import YoloV1

    return YoloV1(num_classes)


def yolo_v2(num_classes: int) -> nn.Module:
    """Build YOLOv2 as it was published for PASCAL VOC."""
    from compress_zoo.networks.yolo_v2 import YoloV2

    return YoloV2(num_classes)


def _faster_rcnn(detector: Any) -> nn.Module:  # noqa: ANN401  # torchvision is not imported here
    from compress_zoo.networks.detectors import FasterRcnn

    return FasterRcnn(detector)


def _ssd(detector: Any) -> nn.Module:  # noqa: ANN401  # torchvision is not imported here
    from compress_zoo.networks.detectors import Ssd

    return Ssd(detector)


def _regions(side: int) -> tuple[Input, ...]:
    """Return a picture and 32 of its regions, by opposite corners in whole pixels."""
    return (Input((3, side, side), "pictures"), Input((32, 4), "regions", side))


# fmt: off
_FASTER_RCNN = Torchvision("fasterrcnn_resnet50_fpn", _COCO, _PROPOSALS, _faster_rcnn)
_SSD = Torchvision("ssd300_vgg16", _COCO, _NO_BACKBONE, _ssd)
_SSDLITE = Torchvision("ssdlite320_mobilenet_v3_large", _COCO, _NO_BACKBONE, _ssd)

ENTRIES = (  # facts only; the test recomputes every number
    #     name                             family       source              input               params            MACs  task         paper
    Entry("rcnn",                          "detection", Own(rcnn, 20),      image(227),     57_687_524,    721_130_016, "detection", "arXiv:1311.2524"),
    Entry("sppnet",                        "detection", Own(sppnet, 20),    _regions(480),  74_046_692,  8_061_591_552, "detection", "arXiv:1406.4729"),
    Entry("fast-rcnn",                     "detection", Own(fast_rcnn, 21), _regions(320), 134_690_729, 35_158_622_208, "detection", "arXiv:1504.08083"),
    Entry("fasterrcnn_resnet50_fpn",       "detection", _FASTER_RCNN,       image(320),     41_808_406, 31_766_624_000, "detection", "arXiv:1506.01497"),
    Entry("yolo-v1",                       "detection", Own(yolo_v1, 20),   image(448),    271_703_550, 20_285_153_280, "detection", "arXiv:1506.02640"),
    Entry("yolo-v2",                       "detection", Own(yolo_v2, 20),   image(416),     50_655_389, 14_680_167_424, "detection", "arXiv:1612.08242"),
    Entry("ssd300_vgg16",                  "detection", _SSD,               image(300),     35_641_826, 34_858_153_472, "detection", "arXiv:1512.02325"),
    Entry("ssdlite320_mobilenet_v3_large", "detection", _SSDLITE,           image(320),      3_440_060,    583_171_904, "detection", "arXiv:1512.02325"),
)

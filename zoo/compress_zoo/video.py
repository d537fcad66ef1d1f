"""Video: what happens in a clip.

Frames can be joined by the network (Karpathy's fusions, three-dimensional filters, non-local
blocks) or before it (optical flow). The early networks hold nearly all their weights in fully
connected layers, the later ones in convolutions.

Source: Karpathy et al. 2014; Simonyan & Zisserman 2014, arXiv:1406.2199; Wang et al. 2018,
arXiv:1711.07971; Tran et al. 2018, arXiv:1711.11248.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn


def single_frame(num_classes: int) -> nn.Module:
    """Build the network of one frame."""
    from compress_zoo.networks.video_fusion import SingleFrame

    return SingleFrame(num_classes)


def early_fusion(num_classes: int) -> nn.Module:
    """Build the network whose first layer sees ten frames."""
    from compress_zoo.networks.video_fusion import EarlyFusion

    return EarlyFusion(num_classes)


def late_fusion(num_classes: int) -> nn.Module:
    """Build the network whose fully connected layers see two frames."""
    from compress_zoo.networks.video_fusion import LateFusion

    return LateFusion(num_classes)


def slow_fusion(num_classes: int) -> nn.Module:
    """Build the network that joins ten frames layer by layer."""
    from compress_zoo.networks.video_fusion import SlowFusion

    return SlowFusion(num_classes)


def multi_resolution(num_classes: int) -> nn.Module:
    """Build the network of one frame at two resolutions."""
    from compress_zoo.networks.video_fusion import MultiResolution

    return MultiResolution(num_classes)


def two_stream(num_classes: int) -> nn.Module:
    """Build both streams, for UCF-101's classes."""
    from compress_zoo.networks.two_stream import TwoStream

    return TwoStream(num_classes)


def non_local_r50(num_classes: int) -> nn.Module:
    """Build C2D ResNet-50 with five blocks.

    As built, a block adds nothing: its last normalization starts at zero, as in the paper.
    """
    from compress_zoo.networks.non_local import NonLocalResNet50

    return NonLocalResNet50(num_classes)


# fmt: off
_CLIP = (Input((10, 3, 170, 170), "clip"),)
_PAIR = (Input((2, 3, 170, 170), "frames"),)
_FRAME_AND_FLOW = (Input((3, 224, 224), "frame"), Input((20, 224, 224), "flow"))

ENTRIES = (  # facts only; the test recomputes every number
    #     name                     family   source                                   input                             params            MACs  task     paper
    Entry("video-single-frame",    "video", Own(single_frame, 487),                  image(170),                   73_908_071,  1_226_595_456, "video", "Karpathy 2014"),
    Entry("video-early-fusion",    "video", Own(early_fusion, 487),                  _CLIP,                        74_221_703,  2_141_146_368, "video", "Karpathy 2014"),
    Entry("video-late-fusion",     "video", Own(late_fusion, 487),                   _PAIR,                       125_288_295,  2_434_418_944, "video", "Karpathy 2014"),
    Entry("video-slow-fusion",     "video", Own(slow_fusion, 487),                   _CLIP,                        75_511_751,  4_267_948_032, "video", "Karpathy 2014"),
    Entry("video-multiresolution", "video", Own(multi_resolution, 487),              image(178),                  129_035_495,    716_650_048, "video", "Karpathy 2014"),
    Entry("two-stream",            "video", Own(two_stream, 101),                    _FRAME_AND_FLOW,             181_335_594,  4_277_888_928, "video", "arXiv:1406.2199"),
    Entry("non-local-r50",         "video", Own(non_local_r50, 400),                 (Input((3, 32, 224, 224)),),  31_686_096, 31_647_825_920, "video", "arXiv:1711.07971"),
    Entry("r3d_18",                "video", Torchvision("r3d_18", "KINETICS400_V1"), (Input((3, 16, 112, 112)),),  33_371_472, 40_696_553_472, "video", "arXiv:1711.11248"),
)

"""Spatial transformer network on MNIST: the network straightens the digit before it reads it.

Of the paper's configurations for distorted digits this is ST-CNN with an affine map, on images of
28 pixels (its rotated digits, R). 5% of the weights look where to look, and each of them moves
every pixel: how far such a layer can be pruned is a question of its own. What a compiler must
bring is a bilinear sampler (ONNX: GridSample).

The paper gives a range for the classifier's filters, 32 to 64, and about 400 K weights for all
networks of an experiment; with 64 filters these images make 220 K.

Source: Jaderberg et al. 2015, arXiv:1506.02025, section 4.1 and appendix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def stn(num_classes: int) -> nn.Module:
    """Build ST-CNN Aff."""
    from compress_zoo.networks.stn import st_cnn_affine

    return st_cnn_affine(num_classes)


# fmt: off
ENTRIES = (
    #     name   family source        input                   params        MACs  task     paper
    Entry("stn", "stn", Own(stn, 10), image(28, channels=1), 219_672, 5_347_944, "mnist", "arXiv:1506.02025"),
)

"""Picture to picture: super-resolution and style transfer.

Source: Dong et al. 2015, arXiv:1501.00092; Kim et al. 2016, arXiv:1511.04587; Johnson et al. 2016,
arXiv:1603.08155.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def srcnn() -> nn.Module:
    """Build the 9-1-5 form: 8,032 weights, as the paper counts them, and 97 biases."""
    from compress_zoo.networks.super_resolution import Srcnn

    return Srcnn()


def vdsr() -> nn.Module:
    """Build the form of 20 layers: 664,704 weights, the paper's 665K, and 1,217 biases."""
    from compress_zoo.networks.super_resolution import Vdsr

    return Vdsr()


def transform_net() -> nn.Module:
    """Build the image transformation network of style transfer."""
    from compress_zoo.networks.transform_net import TransformNet

    return TransformNet()


# fmt: off
ENTRIES = (  # facts only; the test recomputes every number
    #     name             family              source              input                      params            MACs  task                paper
    Entry("srcnn",         "super-resolution", Own(srcnn),         image(128, channels=1),     8_129,    131_596_288, "super-resolution", "arXiv:1501.00092"),
    Entry("vdsr",          "super-resolution", Own(vdsr),          image(128, channels=1),   665_921, 10_890_510_336, "super-resolution", "arXiv:1511.04587"),
    Entry("transform-net", "super-resolution", Own(transform_net), image(256),             1_679_235, 10_938_507_264, "style",            "arXiv:1603.08155"),
)

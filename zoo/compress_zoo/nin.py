"""Network in Network: a small perceptron slides over the image where a filter used to.

A convolution and two 1x1 convolutions make one "mlpconv" layer, and the mean of the last maps is
the score of each class: no fully connected layer is left. That took the layer where pruning gains
most out of the network: under a million weights remain, four fifths of them in the 5x5 and 3x3
convolutions of the second and third layer.

The paper gives the form; the numbers of maps, and pooling over 3x3 that rounds up, are those of
the authors' model for Caffe. That model averages in the second pooling, where the paper, followed
here, says max.

Source: Lin et al. 2013, arXiv:1312.4400, sections 3 and 4.1.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def nin(num_classes: int) -> nn.Module:
    """Build the network for CIFAR-10, with the layer names of the authors' model."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 192, 5, padding=2),
        relu1=nn.ReLU(),
        cccp1=nn.Conv2d(192, 160, 1),
        relu_cccp1=nn.ReLU(),
        cccp2=nn.Conv2d(160, 96, 1),
        relu_cccp2=nn.ReLU(),
        pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (96, 16, 16)
        drop1=nn.Dropout(),
        conv2=nn.Conv2d(96, 192, 5, padding=2),
        relu2=nn.ReLU(),
        cccp3=nn.Conv2d(192, 192, 1),
        relu_cccp3=nn.ReLU(),
        cccp4=nn.Conv2d(192, 192, 1),
        relu_cccp4=nn.ReLU(),
        pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (192, 8, 8)
        drop2=nn.Dropout(),
        conv3=nn.Conv2d(192, 192, 3, padding=1),
        relu3=nn.ReLU(),
        cccp5=nn.Conv2d(192, 192, 1),
        relu_cccp5=nn.ReLU(),
        cccp6=nn.Conv2d(192, num_classes, 1),
        relu_cccp6=nn.ReLU(),
        pool3=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    return nn.Sequential(layers)


# fmt: off
ENTRIES = (
    #     name   family source        input      params          MACs  task       paper
    Entry("nin", "nin", Own(nin, 10), image(32), 966_986, 222_486_528, "cifar10", "arXiv:1312.4400"),
)

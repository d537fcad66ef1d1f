"""LeNets on MNIST: the two networks that Deep Compression is explained on.

LeNet-300-100 is a plain perceptron, LeNet-5 the convolutional network in the form that Caffe
ships (20 and 50 maps, 500 hidden units). Nearly all their weights are in fully connected layers,
where most can be pruned and the rest shared: 40x and 39x in the paper. Layers carry the names of
its tables (conv1, conv2, ip1 to ip3).

Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; Caffe's
examples/mnist/lenet.prototxt; Han et al. 2016, arXiv:1510.00149, tables 2 and 3.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, image

if TYPE_CHECKING:
    from torch import nn


def lenet_300_100(num_classes: int) -> nn.Module:
    """Build the perceptron with 300 and 100 hidden units."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        flatten=nn.Flatten(),
        ip1=nn.Linear(28 * 28, 300),
        relu1=nn.ReLU(),
        ip2=nn.Linear(300, 100),
        relu2=nn.ReLU(),
        ip3=nn.Linear(100, num_classes),
    )
    return nn.Sequential(layers)


def lenet_5(num_classes: int) -> nn.Module:
    """Build Caffe's form: max pooling, and no nonlinearity but the one after ip1."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(1, 20, 5),  # (20, 24, 24)
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(20, 50, 5),  # (50, 8, 8)
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        ip1=nn.Linear(50 * 4 * 4, 500),
        relu1=nn.ReLU(),
        ip2=nn.Linear(500, num_classes),
    )
    return nn.Sequential(layers)


# fmt: off
ENTRIES = (  # facts only; the test recomputes every number
    #     name             family   source                  input          params       MACs  task     paper
    Entry("lenet-300-100", "lenet", Own(lenet_300_100, 10), image(28, channels=1),  266_610,   266_200, "mnist", "LeCun 1998"),
    Entry("lenet-5",       "lenet", Own(lenet_5, 10),       image(28, channels=1),  431_080, 2_293_000, "mnist", "LeCun 1998"),
)

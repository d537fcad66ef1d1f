"""AlexNet: five convolutions and three fully connected layers, the network that began all this.

Of its 61 M weights 96% are in the fully connected layers, 62% in fc6 alone: pruned to about a
tenth each they give Deep Compression its 35x. `alexnet-caffe` is the network of those tables, the
paper's as Caffe ships it: convolutions 2, 4 and 5 in two groups (the paper's two GPUs), local
response normalization before pooling, inputs of 227 pixels. Caffe divides the sum of squares by
the window (alpha / 5) and adds 1; the paper adds 2 and does not divide. torchvision's `alexnet`
is another network: one tower of fewer maps, no groups, no normalization, inputs of 224 pixels.

Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks";
Caffe's models/bvlc_alexnet; Han et al. 2016, arXiv:1510.00149, table 4. torchvision's network is
Krizhevsky 2014, arXiv:1404.5997.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn


def alexnet_caffe(num_classes: int) -> nn.Module:
    """Build Caffe's form, with its layer names."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 96, 11, stride=4),  # (96, 55, 55)
        relu1=nn.ReLU(),
        norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        pool1=nn.MaxPool2d(3, stride=2),
        conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),  # (256, 27, 27)
        relu2=nn.ReLU(),
        norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        pool2=nn.MaxPool2d(3, stride=2),
        conv3=nn.Conv2d(256, 384, 3, padding=1),  # (384, 13, 13)
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),  # (256, 13, 13)
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, stride=2),
        flatten=nn.Flatten(),
        fc6=nn.Linear(256 * 6 * 6, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(),
        fc8=nn.Linear(4096, num_classes),
    )
    return nn.Sequential(layers)


# fmt: off
ENTRIES = (
    #     name             family     source                    input           params         MACs  task           paper
    Entry("alexnet-caffe", "alexnet", Own(alexnet_caffe, 1000), image(227), 60_965_224, 724_406_816, "imagefolder", "Krizhevsky 2012"),
    Entry("alexnet",       "alexnet", Torchvision("alexnet"),   image(224), 61_100_840, 714_188_480, "imagefolder", "arXiv:1404.5997"),
)

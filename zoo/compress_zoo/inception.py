"""Inception networks: branches of different kernels side by side, 1x1 convolutions before each.

The 1x1 convolutions reduce channels before the dear kernels see them, so these networks have a
tenth of AlexNet's weights and better accuracy. Little is in the classifier (1 to 2 M); the rest is
spread over 50 to 90 small convolutions, each with a BatchNorm that must not be folded into shared
weights.

- `googlenet`: torchvision's has BatchNorm behind each convolution, which the paper of 2014 did not
  have yet, and a 3x3 kernel in the branch that the paper calls 5x5; its weights come from there.
- `bn-inception`: figure 5 of the paper that brought BatchNorm. The figure has 11.2 M weights; the
  paper's text says 13.6 M, and not what else that counts.
- `inception_v3`: kernels factorized into 1xn and nx1, labels smoothed in training, 299 pixels.

The auxiliary classifiers of googlenet and inception_v3 are there in training only: they are
neither built nor loaded. `transform_input` is what torchvision sets with its published weights.

Source: Szegedy et al. 2014, arXiv:1409.4842; Ioffe & Szegedy 2015, arXiv:1502.03167; Szegedy et
al. 2015, arXiv:1512.00567.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, Torchvision, image

if TYPE_CHECKING:
    from torch import nn

#: init_weights: truncated normals, which are slow to draw; the builders warn if it is not given
_DEPLOYED = {"aux_logits": False, "transform_input": True, "init_weights": False}


def bn_inception(num_classes: int) -> nn.Module:
    """Build the network of figure 5."""
    from compress_zoo.networks.bn_inception import bn_inception as build

    return build(num_classes)


# fmt: off
ENTRIES = (
    #     name            family       source                                               input           params          MACs  task           paper
    Entry("googlenet",    "inception", Torchvision("googlenet", settings=_DEPLOYED),    image(224),  6_624_904, 1_498_376_192, "imagefolder", "arXiv:1409.4842"),
    Entry("bn-inception", "inception", Own(bn_inception, 1000),                         image(224), 11_188_288, 1_934_857_216, "imagefolder", "arXiv:1502.03167"),
    Entry("inception_v3", "inception", Torchvision("inception_v3", settings=_DEPLOYED), image(299), 23_834_568, 5_713_216_096, "imagefolder", "arXiv:1512.00567"),
)

"""DeepLab-LargeFOV: VGG-16 that labels every pixel.

The paper takes the stride out of the last two poolings and spreads the taps of the filters after
them (the hole algorithm), so that the map is 8 times smaller than the image, not 32 times, at the
price of no weight. It then shrinks the fully connected layers to convolutions: fc6 from 7x7 x 4096
to 3x3 x 1024 at rate 12, whose field of view is larger still. That takes the network from VGG-16's
138 million weights to 20.5 million, of which 5.8 million are left in fc6 to fc8. Nothing of that is
learnt: it is compression by structure, and what is pruned comes on top of it.

The label of each pixel is then cleaned up by a fully connected CRF: zoo/dense_crf.py.

Source: Chen et al. 2014, arXiv:1412.7062, sec. 3 and 5.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.vgg_stage import vgg_stage

_RATE = 12  # of fc6: the LargeFOV variant


class DeepLabLargeFov(nn.Module):
    """Score each pixel for each class.

    Args:
        num_classes: with the background.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stage1, self.pool1 = vgg_stage(1), nn.MaxPool2d(3, 2, padding=1)
        self.stage2, self.pool2 = vgg_stage(2), nn.MaxPool2d(3, 2, padding=1)
        self.stage3, self.pool3 = vgg_stage(3), nn.MaxPool2d(3, 2, padding=1)
        self.stage4, self.pool4 = vgg_stage(4), nn.MaxPool2d(3, 1, padding=1)
        self.stage5, self.pool5 = vgg_stage(5, dilation=2), nn.MaxPool2d(3, 1, padding=1)
        self.fc6 = nn.Conv2d(512, 1024, 3, padding=_RATE, dilation=_RATE)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.fc8 = nn.Conv2d(1024, num_classes, 1)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores before the softmax, `(batch, classes, height, width)`."""
        scores = self.score_map(images)
        # The corners of the map and of the image meet: 41 -> 321 = 8 * 40 + 1.
        return functional.interpolate(
            scores, images.shape[-2:], mode="bilinear", align_corners=True
        )

    def score_map(self, images: Tensor) -> Tensor:
        """Return the scores at an eighth of the resolution: what the loss is taken on."""
        maps = self.pool1(self.stage1(images))
        maps = self.pool2(self.stage2(maps))
        maps = self.pool3(self.stage3(maps))
        maps = self.pool4(self.stage4(maps))
        maps = self.pool5(self.stage5(maps))
        maps = self.dropout(self.relu(self.fc6(maps)))
        maps = self.dropout(self.relu(self.fc7(maps)))
        scores: Tensor = self.fc8(maps)
        return scores

"""SRCNN and VDSR: a small picture made large again, from its luminance alone.

Both take the picture after bicubic enlargement, so they know no scale and no size. SRCNN is sparse
coding written as three convolutions; of its 8,032 weights two thirds are in the first. VDSR shows
that depth does it: twenty layers of 3x3 filters that learn only what bicubic leaves out (the
residual, most of it near zero), which is what lets so many layers train. Neither has a fully
connected layer: nearly all the cost is in activations at full resolution, and weights are few.

Source: Dong et al. 2015, arXiv:1501.00092, sec. 3; Kim et al. 2016, arXiv:1511.04587, sec. 3.
"""

from __future__ import annotations

from torch import Tensor, nn


class Srcnn(nn.Module):
    """The 9-1-5 form: patches are taken out, mapped one by one, and put together.

    The borders repeat, as in the authors' test code, so that the picture keeps its size; in
    training, the paper pads nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 9, padding="same", padding_mode="replicate")
        self.conv2 = nn.Conv2d(64, 32, 1)
        self.conv3 = nn.Conv2d(32, 1, 5, padding="same", padding_mode="replicate")
        self.relu = nn.ReLU()
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.normal_(layer.weight, std=0.001)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, luminance: Tensor) -> Tensor:
        """Return the sharp luminance, of the same size, `(batch, 1, height, width)`."""
        patches = self.relu(self.conv1(luminance))
        sharp: Tensor = self.conv3(self.relu(self.conv2(patches)))
        return sharp


class Vdsr(nn.Module):
    """Twenty layers of 64 maps; zeros pad each, and the input is added at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1)
        self.middle = nn.Sequential()
        for number in range(2, 20):
            self.middle.add_module(f"conv{number}", nn.Conv2d(64, 64, 3, padding=1))
            self.middle.add_module(f"relu{number}", nn.ReLU())
        self.conv20 = nn.Conv2d(64, 1, 3, padding=1)
        self.relu = nn.ReLU()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, luminance: Tensor) -> Tensor:
        """Return the sharp luminance, of the same size, `(batch, 1, height, width)`."""
        residual: Tensor = self.conv20(self.middle(self.relu(self.conv1(luminance))))
        return luminance + residual

"""AlexNet's convolutions with batch normalisation in place of its local response normalisation.

The form that learning without labels settled on: one tower, no groups. Maps of a 224 x 224 image
end as 6 x 6; the fully connected layers behind them, which hold most weights, differ by paper.

Source: Krizhevsky et al. 2012; Caron et al. 2018, arXiv:1807.05520, section 3.
"""

from __future__ import annotations

from torch import nn

SIDE = 6  # of the last maps, for images of 224 x 224
_CHANNELS = (96, 256, 384, 384, 256)
_KERNELS = (11, 5, 3, 3, 3)
_POOLED = (0, 1, 4)  # the layers with a max pooling behind them


def convolutions(channels: int, divisor: int = 1, *, bias: bool = True) -> nn.Sequential:
    """Build the five convolutional layers.

    Args:
        channels: of the input.
        divisor: of the number of maps; 2 splits the network across its channels.
        bias: whether the convolutions have one, beside that of the normalisation.
    """
    layers: list[nn.Module] = []
    for place, (kernel, full) in enumerate(zip(_KERNELS, _CHANNELS, strict=True)):
        maps = full // divisor
        stride, padding = (4, 2) if place == 0 else (1, kernel // 2)
        layers += [
            nn.Conv2d(channels, maps, kernel, stride, padding, bias=bias),
            nn.BatchNorm2d(maps),
            nn.ReLU(),
        ]
        if place in _POOLED:
            layers.append(nn.MaxPool2d(3, 2))
        channels = maps
    return nn.Sequential(*layers)

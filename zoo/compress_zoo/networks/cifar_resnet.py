"""Residual networks on CIFAR-10: the original, with pre-activation, and wide.

Three stages of n units with two 3x3 convolutions each, on 32, 16 and 8 pixels; the second and
third stage start with stride 2 and twice the channels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

_STAGES = 3


class PadShortcut(nn.Module):
    """Option A: take every other pixel; channels that are new are zero. It has no weights.

    Source: arXiv:1512.03385, section 4.2.
    """

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, channels + new_channels, height / 2, width / 2)`."""
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))


class Unit(nn.Module):
    """The original unit: a rectifier behind the addition.

    Source: arXiv:1512.03385, figure 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else PadShortcut(outputs - inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, outputs, height / stride, width / stride)`."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class PreActivationUnit(nn.Module):
    """BatchNorm and rectifier before each convolution; nothing behind the addition.

    Source: arXiv:1603.05027, figure 4(e).

    Args:
        inputs: channels.
        outputs: channels.
        stride: of the first convolution.
        shortcut: what the input goes through on its way around.
        shares_activation: whether the shortcut starts behind the first activation, not before.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        shortcut: nn.Module,
        *,
        shares_activation: bool,
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv3x3(outputs, outputs)
        self.shortcut = shortcut
        self.shares_activation = shares_activation

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, outputs, height / stride, width / stride)`."""
        activated = functional.relu(self.bn1(x))
        y: Tensor = self.conv2(functional.relu(self.bn2(self.conv1(activated))))
        skipped: Tensor = self.shortcut(activated if self.shares_activation else x)
        return y + skipped


def resnet(depth: int, num_classes: int) -> nn.Sequential:
    """Build the original network of 6 n + 2 layers.

    Source: arXiv:1512.03385, section 4.2.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=_conv3x3(3, 16), bn1=nn.BatchNorm2d(16), relu=nn.ReLU()
    )
    layers |= _stages(Unit, (depth - 2) // 6, 16)
    return _classifier(layers, 64, num_classes)


def preact_resnet(depth: int, num_classes: int) -> nn.Sequential:
    """Build the network of 6 n + 2 layers with pre-activation.

    The first unit alone shares its activation with the shortcut: no rectifier stands before it.

    Source: arXiv:1603.05027, section 3.1 and appendix.
    """

    def unit(inputs: int, outputs: int, stride: int) -> nn.Module:
        shortcut = nn.Identity() if stride == 1 else PadShortcut(outputs - inputs)
        return PreActivationUnit(inputs, outputs, stride, shortcut, shares_activation=False)

    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=_conv3x3(3, 16))
    layers |= _stages(unit, (depth - 2) // 6, 16)
    first = layers["stage1"].get_submodule("0")
    assert isinstance(first, PreActivationUnit)
    first.shares_activation = True
    layers |= {"bn": nn.BatchNorm2d(64), "relu": nn.ReLU()}
    return _classifier(layers, 64, num_classes)


def wide_resnet(depth: int, widening: int, num_classes: int) -> nn.Sequential:
    """Build a wide network of 6 n + 4 layers, the three 1x1 shortcuts counted, without dropout.

    Units that change the number of channels share their activation with a 1x1 convolution.

    Source: arXiv:1605.07146, table 1.
    """

    def unit(inputs: int, outputs: int, stride: int) -> nn.Module:
        if inputs == outputs:
            return PreActivationUnit(inputs, outputs, 1, nn.Identity(), shares_activation=False)
        shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        return PreActivationUnit(inputs, outputs, stride, shortcut, shares_activation=True)

    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=_conv3x3(3, 16))
    layers |= _stages(unit, (depth - 4) // 6, 16 * widening)
    layers |= {"bn": nn.BatchNorm2d(64 * widening), "relu": nn.ReLU()}
    return _classifier(layers, 64 * widening, num_classes)


def _stages(
    unit: Callable[[int, int, int], nn.Module], n_units: int, width: int
) -> OrderedDict[str, nn.Module]:
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 16
    for stage in range(_STAGES):
        units = []
        for number in range(n_units):
            units.append(unit(channels, width << stage, 2 if stage and number == 0 else 1))
            channels = width << stage
        stages[f"stage{stage + 1}"] = nn.Sequential(*units)
    return stages


def _classifier(
    layers: OrderedDict[str, nn.Module], features: int, num_classes: int
) -> nn.Sequential:
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(features, num_classes)
    network = nn.Sequential(layers)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)

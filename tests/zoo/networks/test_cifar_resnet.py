import pytest
import torch
from compress_zoo.networks.cifar_resnet import PadShortcut, preact_resnet, resnet, wide_resnet
from compress_zoo.registry import get
from torch import nn
from torch.nn import functional


@pytest.mark.parametrize(
    ("name", "millions", "digits"),
    [("resnet20", 0.27, 2), ("resnet56", 0.85, 2), ("resnet110", 1.7, 1),
     ("preact-resnet110", 1.7, 1), ("wrn-28-10", 36.5, 1)],
)  # fmt: skip
def test_parameters_are_the_papers(name: str, millions: float, digits: int) -> None:
    assert round(get(name).params / 1e6, digits) == millions


@pytest.mark.parametrize("build", [resnet, preact_resnet])
@pytest.mark.parametrize("depth", [20, 56, 110])
def test_depth_is_counted_in_layers_with_weights(build, depth: int) -> None:
    with torch.device("meta"):
        layers = list(build(depth, 10).modules())
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in layers) == depth


def test_depth_of_a_wide_network_is_counted_in_convolutions() -> None:
    with torch.device("meta"):
        layers = list(wide_resnet(28, 10, 10).modules())
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == 28


@pytest.mark.parametrize(
    ("model", "width"),
    [(lambda: resnet(20, 10), 16), (lambda: preact_resnet(20, 10), 16),
     (lambda: wide_resnet(28, 10, 10), 160)],
)  # fmt: skip
def test_stages_halve_the_maps_and_double_the_channels(model, width: int) -> None:
    shapes = {}
    with torch.device("meta"):
        x = torch.empty(2, 3, 32, 32)
        for name, layer in model().named_children():
            x = layer(x)
            shapes[name] = tuple(x.shape[1:])
    assert shapes["stage1"] == (width, 32, 32)
    assert shapes["stage2"] == (2 * width, 16, 16)
    assert shapes["stage3"] == (4 * width, 8, 8)


def test_option_a_by_hand() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    y = PadShortcut(2)(x)
    assert y[0].tolist() == [[[0, 2], [8, 10]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]


def silence(model: nn.Module) -> None:
    """Let the branch of every unit return zero, so that only the shortcuts are left."""
    for name, layer in model.named_modules():
        if name.endswith("conv2"):
            nn.init.zeros_(layer.weight)


def test_what_the_shortcuts_carry() -> None:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for build in (resnet, preact_resnet):
        model = build(20, 10).eval()
        silence(model)
        after = model[: list(model._modules).index("stage3") + 1](images)
        # option A carries the first maps, rectified once, to the end; the rest is zero
        first = functional.relu(model.conv1(images) / (1 + model.stage1[0].bn1.eps) ** 0.5)
        torch.testing.assert_close(after[:, :16], first[:, :, ::4, ::4])
        assert not after[:, 16:].any()


def test_plain_pre_activation_carries_the_sign() -> None:
    unit = preact_resnet(20, 10).eval().stage1[1]
    silence(unit)
    x = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(unit(x), x)


def test_wide_shortcut_reads_the_activation() -> None:
    unit = wide_resnet(10, 2, 10).eval().stage1[0]
    silence(unit)
    x = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit(x), unit.shortcut(functional.relu(unit.bn1(x))))

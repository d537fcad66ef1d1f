import torch
from compress_zoo.super_resolution import srcnn, vdsr
from torch import nn


def weights(model: nn.Module) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))


def test_weights_are_the_papers() -> None:
    assert weights(srcnn()) == 8_032  # sec. 3.3: 9-1-5
    assert weights(vdsr()) == 664_704  # 665K


def test_vdsr_has_twenty_layers_and_sees_41_pixels() -> None:
    layers = [layer for layer in vdsr().modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 20
    assert 1 + sum(layer.kernel_size[0] - 1 for layer in layers) == 41  # sec. 3.1


def test_vdsr_learns_what_bicubic_leaves_out() -> None:
    model, luminance = vdsr(), torch.randn(2, 1, 8, 9)
    nn.init.zeros_(model.conv20.weight)
    assert torch.equal(model(luminance), luminance)


def test_srcnn_repeats_the_border() -> None:
    """On a constant picture, the border gets what the middle gets."""
    torch.manual_seed(0)
    with torch.no_grad():
        sharp = srcnn()(torch.full((1, 1, 16, 16), 0.5))
    torch.testing.assert_close(sharp, sharp[:, :, 8:9, 8:9].expand_as(sharp))

import torch
import torchvision
from compress_zoo.networks.transform_net import LossWeights, PerceptualLoss, gram, total_variation
from compress_zoo.super_resolution import transform_net


def test_sizes_are_the_supplements() -> None:
    with torch.device("meta"):
        model = transform_net()
        maps = model.margin(torch.empty(1, 3, 256, 256))
        sizes = [maps.shape[1:]]
        for part in (model.down[:3], model.down[3:6], model.down[6:], *model.blocks):
            maps = part(maps)
            sizes.append(maps.shape[1:])
        for part in (model.up[:3], model.up[3:6], model.up[6:]):
            maps = part(maps)
            sizes.append(maps.shape[1:])
    assert [tuple(size) for size in sizes] == [
        (3, 336, 336), (32, 336, 336), (64, 168, 168), (128, 84, 84),
        (128, 80, 80), (128, 76, 76), (128, 72, 72), (128, 68, 68), (128, 64, 64),
        (64, 128, 128), (32, 256, 256), (3, 256, 256),
    ]  # fmt: skip


def test_colours_stay_in_range() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        images = transform_net().eval()(1e3 * torch.randn(1, 3, 44, 48))
    assert images.shape == (1, 3, 44, 48)
    assert 0 <= images.min() < images.max() <= 255


def test_gram_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels of two pixels
    assert gram(maps)[0].tolist() == [[5 / 4, 11 / 4], [11 / 4, 25 / 4]]


def test_total_variation_by_hand() -> None:
    assert total_variation(torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])).item() == 9 + 4 + 1 + 0


def test_perceptual_loss() -> None:
    torch.manual_seed(0)
    features = torchvision.models.vgg16(weights=None).features[:23]
    loss = PerceptualLoss(features, LossWeights(variation=0.0))
    content, style = torch.randn(2, 3, 24, 24), torch.randn(1, 3, 16, 16)
    assert loss(content, content, content).item() == 0
    output = content.clone().requires_grad_()
    value = loss(output, content, style)
    value.backward()
    assert value.item() > 0
    assert output.grad is not None
    assert output.grad.abs().max() > 0
    assert all(p.grad is None for p in features.parameters())


def test_style_does_not_know_where_things_are() -> None:
    maps = torch.randn(1, 4, 5, 6)
    torch.testing.assert_close(gram(maps), gram(maps.flip(2, 3)))

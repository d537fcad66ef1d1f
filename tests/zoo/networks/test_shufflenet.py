import torch
from compress_zoo.networks.shufflenet import ShuffleNet, Unit
from torch import nn


def test_the_shuffle_lets_every_group_see_every_group() -> None:
    unit = Unit(12, 36, groups=3, first_groups=3, reduces=False)
    shuffled, plain = unit.branch, nn.Sequential(*(m for m in unit.branch if not _shuffles(m)))
    assert _inputs_seen(shuffled, 12) == {0, 1, 2}
    assert _inputs_seen(plain, 12) == {0}


def test_a_unit_that_reduces_keeps_its_pooled_input() -> None:
    unit = Unit(24, 240, groups=3, first_groups=1, reduces=True).eval()
    x = torch.randn(2, 24, 56, 56).relu()
    out = unit(x)
    assert out.shape == (2, 240, 28, 28)
    assert torch.equal(out[:, :24], nn.functional.avg_pool2d(x, 3, 2, 1))


def test_only_the_first_pointwise_convolution_is_not_grouped() -> None:
    with torch.device("meta"):
        net, x = ShuffleNet(3, 240, 1000), torch.empty(1, 3, 224, 224)
    pointwise = [
        m for m in net.units.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] == 1
    ]
    assert [conv.groups for conv in pointwise] == [1] + [3] * 31
    shapes = []
    x = net.stem(x)
    for unit in net.units:
        x = unit(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(240, 28, 28)] * 4 + [(480, 14, 14)] * 8 + [(960, 7, 7)] * 4


def _shuffles(module: nn.Module) -> bool:
    return isinstance(module, nn.ChannelShuffle)


def _inputs_seen(branch: nn.Module, channels: int) -> set[int]:
    """Name the groups of the input that the first group of the output depends on."""
    torch.manual_seed(0)
    x = torch.randn(1, channels, 4, 4, requires_grad=True)
    branch.eval()(x)[:, 0].sum().backward()
    seen = x.grad.abs().sum((0, 2, 3)).view(3, -1).any(1)
    return set(seen.nonzero().flatten().tolist())

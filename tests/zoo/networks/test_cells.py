import torch
from compress_zoo.genotypes import Wiring
from compress_zoo.networks.cells import Cell, FactorizedReduction
from torch import nn


def test_a_cell_computes_what_its_wiring_says() -> None:
    torch.manual_seed(0)
    wiring = Wiring(
        pairs=((("max 3x3", 0), ("identity", 1)), (("avg 3x3", 2), ("sep 3x3", 0))), output=(3, 1)
    )
    cell = Cell(wiring, 6, 5, 4, stride=1, previous_is_larger=False).eval()
    current, previous = torch.randn(2, 6, 8, 8), torch.randn(2, 5, 8, 8)
    h0, h1 = cell.current(current), cell.previous(previous)
    h2 = nn.functional.max_pool2d(h0, 3, 1, 1) + h1
    h3 = nn.functional.avg_pool2d(h2, 3, 1, 1, count_include_pad=False) + cell.right[1](h0)
    assert torch.equal(cell(current, previous), torch.cat([h3, h1], 1))
    kernels = [m.kernel_size for m in cell.right[1] if isinstance(m, nn.Conv2d)]
    assert kernels == [(3, 3), (1, 1), (3, 3), (1, 1)]


def test_only_operations_on_the_inputs_of_a_reduction_have_a_stride() -> None:
    wiring = Wiring(
        pairs=((("1x7 then 7x1", 0), ("identity", 1)), (("sep 7x7", 2), ("max 3x3", 0))),
        output=(2, 3),
    )
    cell = Cell(wiring, 8, 8, 8, stride=2, previous_is_larger=True)
    out = cell(torch.randn(1, 8, 7, 7), torch.randn(1, 8, 14, 14))
    assert out.shape == (1, 16, 4, 4)


def test_a_first_cell_sees_its_input_twice() -> None:
    wiring = Wiring(pairs=((("avg 3x3", 1), ("identity", 1)),), output=(1, 2))
    cell = Cell(wiring, 12, 0, 4, stride=1, previous_is_larger=False)
    x = torch.randn(1, 12, 8, 8)
    assert cell(x, x).shape == (1, 8, 8, 8)
    assert isinstance(cell.previous, nn.Identity)


def test_factorized_reduction_takes_pixels_that_are_one_apart() -> None:
    reduction = FactorizedReduction(1, 2).eval()
    for conv in (reduction.even, reduction.odd):
        nn.init.ones_(conv.weight)
    x = torch.arange(1.0, 26).view(1, 1, 5, 5)
    even, odd = reduction(x)[0] * (1 + reduction.bn.eps) ** 0.5
    torch.testing.assert_close(even, x[0, 0, ::2, ::2])
    torch.testing.assert_close(odd[:2, :2], x[0, 0, 1::2, 1::2])
    assert not odd[2].any()
    assert not odd[:, 2].any()

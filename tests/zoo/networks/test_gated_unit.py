import pytest
import torch
from compress_zoo.networks.gated_unit import GatedUnit, initialize
from torch import nn


def unit() -> GatedUnit:
    torch.manual_seed(0)
    return GatedUnit(3, 4)


def test_equations_of_the_paper() -> None:
    made, x, h = unit(), torch.randn(2, 3), torch.randn(2, 4)
    w_r, w_z, w = made.input.weight.chunk(3)
    b_r, b_z, b = made.input.bias.chunk(3)
    u_r, u_z = made.gates.weight.chunk(2)
    r = torch.sigmoid(x @ w_r.T + b_r + h @ u_r.T)
    z = torch.sigmoid(x @ w_z.T + b_z + h @ u_z.T)
    candidate = torch.tanh(x @ w.T + b + (r * h) @ made.candidate.weight.T)
    torch.testing.assert_close(made(made.input(x), h), z * h + (1 - z) * candidate)


def test_torchs_gru_differs_where_the_reset_gate_stands() -> None:
    made, gru = unit(), nn.GRUCell(3, 4)
    with torch.no_grad():
        gru.weight_ih.copy_(made.input.weight)
        gru.bias_ih.copy_(made.input.bias)
        gru.weight_hh.copy_(torch.cat([made.gates.weight, made.candidate.weight]))
        gru.bias_hh.zero_()
    x, h, zero = torch.randn(2, 3), torch.randn(2, 4), torch.zeros(2, 4)
    torch.testing.assert_close(made(made.input(x), zero), gru(x, zero))
    assert not torch.allclose(made(made.input(x), h), gru(x, h))


@pytest.mark.parametrize("backward", [False, True])
def test_padding_leaves_the_state(backward: bool) -> None:
    made, inputs = unit(), torch.randn(1, 3, 3)
    padded = torch.cat([inputs, torch.randn(1, 2, 3)], 1)
    short = made.read(inputs, torch.zeros(1, 3, dtype=torch.bool), backward=backward)
    padding = torch.tensor([[False] * 3 + [True] * 2])
    long = made.read(padded, padding, backward=backward)
    torch.testing.assert_close(long[:3], short)
    torch.testing.assert_close(long[-1], torch.zeros(1, 4) if backward else short[-1])


def test_recurrent_matrices_start_orthogonal() -> None:
    made = unit()
    initialize(made)
    for square in (*made.gates.weight.chunk(2), made.candidate.weight):
        torch.testing.assert_close(square @ square.T, torch.eye(4))
    assert not made.input.bias.any()

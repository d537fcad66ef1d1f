"""The hidden unit of Cho et al. 2014, from which the GRU came.

Source: Cho et al. 2014, arXiv:1406.1078, section 2.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedUnit(nn.Module):
    """A recurrent layer with a reset and an update gate.

    The reset gate multiplies the state before the candidate's matrix does, tanh(Wx + U(r * h)).
    torch's GRU multiplies behind it, tanh(Wx + b + r * (Uh + c)), and has that second bias.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(inputs, 3 * hidden)  # of reset gate, update gate, candidate
        self.gates = nn.Linear(hidden, 2 * hidden, bias=False)
        self.candidate = nn.Linear(hidden, hidden, bias=False)

    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """Return the next state, `(batch, hidden)`.

        Args:
            projected: inputs behind `self.input`, `(batch, 3 * hidden)`.
            state: the one before, `(batch, hidden)`.
        """
        gates, candidate = projected.tensor_split([2 * self.hidden], 1)
        reset, update = torch.sigmoid(gates + self.gates(state)).chunk(2, 1)
        candidate = torch.tanh(candidate + self.candidate(reset * state))
        return update * state + (1 - update) * candidate

    def read(self, inputs: Tensor, padding: Tensor, *, backward: bool = False) -> list[Tensor]:
        """Return the states `(batch, hidden)` at each step, in the order of the steps.

        Args:
            inputs: `(batch, time, inputs)`.
            padding: where the state stays what it was, `(batch, time)`.
            backward: begin with the last step.
        """
        projected = self.input(inputs).unbind(1)
        state = torch.zeros_like(projected[0][:, : self.hidden])
        states, steps = [], list(zip(projected, padding.unbind(1), strict=True))
        for step, pads in reversed(steps) if backward else steps:
            state = torch.where(pads[:, None], state, self(step, state))
            states.append(state)
        return states[::-1] if backward else states


def initialize(model: nn.Module) -> None:
    """Draw weights as both papers with this unit do: square recurrent ones are orthogonal."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.01)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, GatedUnit):
            for square in (*module.gates.weight.chunk(2), module.candidate.weight):
                nn.init.orthogonal_(square)

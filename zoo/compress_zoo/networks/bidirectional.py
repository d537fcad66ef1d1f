"""Recurrent layers over padded sequences, in both directions, as if there were no padding.

`pack_padded_sequence` does this in training, but depends on the data in a way that no exported
graph can. Here each sequence is reversed within its own length by a gather, which can be exported:
a layer then meets the padding last, behind all that counts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bidirectional(nn.Module):
    """Two recurrent layers of one direction each, one of which reads backward."""

    def __init__(self, forward_rnn: nn.RNNBase, backward_rnn: nn.RNNBase) -> None:
        super().__init__()
        self.forward_rnn = forward_rnn
        self.backward_rnn = backward_rnn

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return both layers' outputs side by side, `(batch, time, 2 * hidden)`.

        Args:
            inputs: `(batch, time, features)`, padded behind.
            lengths: of each sequence without its padding, `(batch,)`; outputs behind it mean
                nothing.
        """
        ahead, _ = self.forward_rnn(inputs)
        back, _ = self.backward_rnn(reverse(inputs, lengths))
        return torch.cat([ahead, reverse(back, lengths)], -1)


def reverse(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence of `(batch, time, features)` within its length; its own inverse.

    >>> reverse(torch.tensor([[[1], [2], [3], [0]]]), torch.tensor([3])).flatten().tolist()
    [3, 2, 1, 0]
    """
    steps = inputs.shape[1]
    time = torch.arange(steps, device=inputs.device)
    index = (lengths[:, None] - 1 - time) % steps  # behind the length, padding among itself
    return inputs.gather(1, index[..., None].expand_as(inputs))


def last(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return what both directions hold at their ends, `(batch, 2 * hidden)`.

    Args:
        outputs: of `Bidirectional`.
        lengths: as there; a sequence of length 0 gives numbers that mean nothing.
    """
    ahead, back = outputs.chunk(2, -1)
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, ahead.shape[-1])
    return torch.cat([ahead.gather(1, index)[:, 0], back[:, 0]], 1)

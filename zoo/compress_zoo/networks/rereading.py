"""A step of a decoder that keeps no state but reads all words again, for beam search.

It costs the square of the length, and needs nothing of the decoder but what it does in training.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from compress_zoo.networks.beam_search import State, Step


def rereading(decode: Callable[[Tensor, State], Tensor]) -> Step:
    """Return a step for `beam_search`; its states begin as `before(memory)`.

    Args:
        decode: from all words so far, `(batch, time)`, and the memory to logits
            `(batch, time, vocabulary)`.
    """

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        memory, words = state
        words = torch.cat([words, tokens.T])  # (time, batch)
        return decode(words.T, memory)[:, -1:], (memory, words)

    return step


def before(memory: State) -> State:
    """Return the state before the first word of one sentence."""
    return memory, torch.empty(0, 1, dtype=torch.long)

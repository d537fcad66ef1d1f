"""Beam search: the best sequence of words that a decoder finds with a few hypotheses at a time.

Source: Graves 2012, arXiv:1211.3711, section 2.5; Sutskever et al. 2014, arXiv:1409.3215, section
3.2; Wu et al. 2016, arXiv:1609.08144, section 7, for the length penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

State = Any  # a decoder's own: tensors whose dimension 1 is the batch, in (nested) tuples

#: From tokens `(batch, 1)` and a state to logits `(batch, 1, vocabulary)` and the next state.
Step = Callable[[Tensor, State], tuple[Tensor, State]]


@torch.no_grad()
def beam_search(
    step: Step, state: State, *, start: int, end: int, longest: int, beam: int, alpha: float = 0.0
) -> list[int]:
    """Return the best sequence of tokens, without its start and its end.

    Args:
        step: of the decoder.
        state: before the first step, of one sentence.
        start: the token that decoding begins with.
        end: the token that ends a sequence.
        longest: tokens after which a sequence is cut.
        beam: hypotheses at a time; 1 is greedy.
        alpha: exponent of the length penalty that ranks finished sequences, 0 for none.
    """
    hypotheses, scores = torch.empty(1, 0, dtype=torch.long), torch.zeros(1)
    tokens = torch.tensor([[start]])
    finished: list[tuple[float, list[int]]] = []
    for length in range(1, longest + 1):
        logits, state = step(tokens, state)
        totals = scores[:, None] + logits[:, -1].log_softmax(-1)  # (hypotheses, vocabulary)
        scores, best = totals.flatten().topk(min(beam - len(finished), totals.numel()))
        origins, words = best // totals.shape[1], best % totals.shape[1]
        hypotheses = torch.cat([hypotheses[origins], words[:, None]], 1)
        done = words == end if length < longest else torch.ones_like(words, dtype=torch.bool)
        for score, sequence in zip(scores[done], hypotheses[done].tolist(), strict=True):
            ranked = score.item() / length_penalty(length, alpha)
            finished.append((ranked, sequence[:-1] if sequence[-1] == end else sequence))
        if len(finished) >= beam or done.all():
            break
        hypotheses, scores, tokens = hypotheses[~done], scores[~done], words[~done, None]
        state = _select(state, origins[~done])
    return max(finished)[1]


def length_penalty(length: int, alpha: float) -> float:
    """Return what a sequence's log-probability is divided by (Wu et al., equation 14)."""
    return float(((5 + length) / 6) ** alpha)


def _select(state: State, batch: Tensor) -> State:
    """Return the state of some hypotheses, in a new order."""
    if isinstance(state, Tensor):
        return state.index_select(1, batch)
    return tuple(_select(part, batch) for part in state)

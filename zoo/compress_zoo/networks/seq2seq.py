"""Sequence to sequence with LSTMs: one reads a sentence into a vector, another writes from it.

Sutskever et al. translate with no alignment at all: four layers of LSTMs end in 8,000 numbers, from
which four more write. Reading the source backward brings first words near to first words, and was
worth nearly five BLEU points. Of 384 million parameters 320 million are tables of words (source, target
and softmax), and 64 million are recurrent.

Source: Sutskever et al. 2014, arXiv:1409.3215, sections 3.3 and 3.4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search

LstmState = tuple[Tensor, Tensor]  # outputs and cells, each (layers, batch, hidden)


class Seq2Seq(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(self, source: int, target: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        self.source_words = nn.Embedding(source, hidden)
        self.encoder = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.target_words = nn.Embedding(target, hidden)
        self.decoder = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.softmax = nn.Linear(hidden, target)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.08, 0.08)

    def encode(self, source: Tensor) -> LstmState:
        """Return the state behind sentences `(batch, time)`, given in their own order.

        They are read backward. As in the paper, sentences of one batch are of one length: padding
        would be read like any word.
        """
        _, state = self.encoder(self.source_words(source.flip(1)))
        return state  # type: ignore[no-any-return]  # nn.Module calls are untyped

    def decode(self, target: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """Return logits, `(batch, time, vocabulary)`, and the state behind target words."""
        outputs, state = self.decoder(self.target_words(target), state)
        return self.softmax(outputs), state

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits, _ = self.decode(target, self.encode(source))
        return logits


def translate(
    model: Seq2Seq, source: Tensor, *, start: int, end: int, longest: int = 50, beam: int = 12
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; the paper's beam is 12, 1 is greedy."""
    with torch.no_grad():
        state = model.encode(source[None])
    return beam_search(model.decode, state, start=start, end=end, longest=longest, beam=beam)

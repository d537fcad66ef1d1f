"""RNN Encoder-Decoder: phrases to phrases through one vector, and the unit that became the GRU.

Cho et al. train two recurrent networks as one: the first reads a phrase into 1,000 numbers, the
second writes its translation from them. Each matrix over 15,000 words has a rank of 100 only, the
paper's own way to compress: 4.5 of 18 million weights are about words, the rest is recurrent.

Source: Cho et al. 2014, arXiv:1406.1078, sections 2 and 4.1, appendix A.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.gated_unit import GatedUnit, initialize
from compress_zoo.networks.maxout import Maxout

State = tuple[Tensor, Tensor]  # context and hidden state, each (1, batch, hidden)


class Encoder(nn.Module):
    """The last state behind a phrase, through one more layer."""

    def __init__(self, vocabulary: int, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.unit = GatedUnit(dimensions, hidden)
        self.summary = nn.Linear(hidden, hidden)

    def forward(self, source: Tensor) -> Tensor:
        """Return contexts, `(batch, hidden)`, of phrases `(batch, time)`, padded with 0."""
        states = self.unit.read(self.words(source), source == 0)
        return torch.tanh(self.summary(states[-1]))


class Decoder(nn.Module):
    """A language model that sees the context at every step.

    Here the reset gate multiplies behind the matrix, and the context too, unlike in the encoder.
    """

    def __init__(self, vocabulary: int, dimensions: int, hidden: int, maxout: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.start = nn.Linear(hidden, hidden)
        self.input = nn.Linear(dimensions, 3 * hidden)  # of reset gate, update gate, candidate
        self.recurrent = nn.Linear(hidden, 3 * hidden, bias=False)
        self.context = nn.Linear(hidden, 3 * hidden, bias=False)
        self.maxout = Maxout(hidden, dimensions, hidden, maxout)
        self.softmax = nn.Sequential(  # of the same rank as the table of words
            nn.Linear(maxout, dimensions, bias=False), nn.Linear(dimensions, vocabulary)
        )

    def forward(self, target: Tensor, state: State) -> tuple[Tensor, State]:
        """Return logits, `(batch, time, vocabulary)`, and the state behind target words."""
        context, hidden = state[0][0], state[1][0]
        width = hidden.shape[1]
        words, of_context, states = self.words(target), self.context(context), []
        for inputs in self.input(words).unbind(1):
            sums = self.recurrent(hidden) + of_context
            gates = torch.sigmoid(inputs[:, : 2 * width] + sums[:, : 2 * width])
            reset, update = gates.chunk(2, 1)
            candidate = torch.tanh(inputs[:, 2 * width :] + reset * sums[:, 2 * width :])
            hidden = update * hidden + (1 - update) * candidate
            states.append(hidden)
        features = self.maxout(torch.stack(states, 1), words, context[:, None])
        return self.softmax(features), (context[None], hidden[None])


class RnnEncoderDecoder(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(
        self, source: int, target: int, *, dimensions: int, hidden: int, maxout: int
    ) -> None:
        super().__init__()
        self.encoder = Encoder(source, dimensions, hidden)
        self.decoder = Decoder(target, dimensions, hidden, maxout)
        initialize(self)

    def encode(self, source: Tensor) -> State:
        """Return the decoder's state before the first word."""
        context = self.encoder(source)
        return context[None], torch.tanh(self.decoder.start(context))[None]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits: Tensor
        logits, _ = self.decoder(target, self.encode(source))
        return logits


def translate(
    model: RnnEncoderDecoder,
    source: Tensor,
    *,
    start: int,
    end: int,
    longest: int = 20,
    beam: int = 1,
) -> list[int]:
    """Return the translation of one phrase, `(time,)`; a beam of 1 is greedy.

    The paper itself scores given pairs of phrases for another translator.
    """
    with torch.no_grad():
        state = model.encode(source[None])
    return beam_search(model.decoder, state, start=start, end=end, longest=longest, beam=beam)

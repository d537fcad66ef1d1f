"""RNNsearch: a decoder that searches the source sentence while it writes.

Bahdanau et al. end the fixed-length vector: each word that is written looks at all states of a
bidirectional encoder, weighted by a small network that is trained with the rest. It costs 3 of 80
million weights. 52 million are tables of 30,000 words.

Source: Bahdanau et al. 2014, arXiv:1409.0473, section 3, appendices A and B.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.gated_unit import GatedUnit, initialize
from compress_zoo.networks.maxout import Maxout

#: Annotations `(time, batch, 2 * hidden)`, their keys `(time, batch, align)`, padding
#: `(time, batch, 1)`.
Memory = tuple[Tensor, Tensor, Tensor]
State = tuple[Memory, Tensor]  # and the hidden state, (1, batch, hidden)


class Encoder(nn.Module):
    """Annotations of words: states of a unit that reads forward and of one that reads backward."""

    def __init__(self, vocabulary: int, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.ahead = GatedUnit(dimensions, hidden)
        self.back = GatedUnit(dimensions, hidden)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return annotations, `(time, batch, 2 * hidden)`, and the backward state at word one."""
        words, padding = self.words(source), source == 0
        ahead = torch.stack(self.ahead.read(words, padding))
        back = torch.stack(self.back.read(words, padding, backward=True))
        return torch.cat([ahead, back], 2), back[0]


class Alignment(nn.Module):
    """A mean of the annotations, weighted by a network with one hidden layer."""

    def __init__(self, hidden: int, align: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, align)
        self.key = nn.Linear(2 * hidden, align, bias=False)
        self.score = nn.Linear(align, 1, bias=False)

    def forward(self, state: Tensor, memory: Memory) -> Tensor:
        """Return the context, `(batch, 2 * hidden)`, for the state before the word."""
        annotations, keys, padding = memory
        scores = self.score(torch.tanh(self.query(state) + keys))  # (time, batch, 1)
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(0)
        return torch.einsum("tbo,tbh->bh", weights, annotations)


class Decoder(nn.Module):
    """Gated units with a context of their own at each step, and maxout units behind.

    The paper's update gate says what is new, ours (Cho's) what is kept: the same with the signs of
    its weights turned. As in its appendix, the output sees the state before the word.
    """

    def __init__(
        self, vocabulary: int, dimensions: int, hidden: int, *, align: int, maxout: int
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.start = nn.Linear(hidden, hidden)
        self.alignment = Alignment(hidden, align)
        self.unit = GatedUnit(dimensions, hidden)
        self.context = nn.Linear(2 * hidden, 3 * hidden, bias=False)
        self.maxout = Maxout(hidden, dimensions, 2 * hidden, maxout)
        self.softmax = nn.Linear(maxout, vocabulary)

    def forward(self, target: Tensor, state: State) -> tuple[Tensor, State]:
        """Return logits, `(batch, time, vocabulary)`, and the state behind target words."""
        memory, hidden = state[0], state[1][0]
        words = self.words(target)
        states, contexts = [], []
        for projected in self.unit.input(words).unbind(1):
            context = self.alignment(hidden, memory)
            states.append(hidden)
            contexts.append(context)
            hidden = self.unit(projected + self.context(context), hidden)
        features = self.maxout(torch.stack(states, 1), words, torch.stack(contexts, 1))
        return self.softmax(features), (memory, hidden[None])


class RnnSearch(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(
        self,
        source: int,
        target: int,
        *,
        dimensions: int,
        hidden: int,
        align: int,
        maxout: int,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(source, dimensions, hidden)
        self.decoder = Decoder(target, dimensions, hidden, align=align, maxout=maxout)
        initialize(self)

    def encode(self, source: Tensor) -> State:
        """Return the decoder's state before the first word, of sentences padded with 0."""
        annotations, first = self.encoder(source)
        keys = self.decoder.alignment.key(annotations)
        padding = (source == 0).transpose(0, 1)[..., None]
        return (annotations, keys, padding), torch.tanh(self.decoder.start(first))[None]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits: Tensor
        logits, _ = self.decoder(target, self.encode(source))
        return logits


def translate(
    model: RnnSearch, source: Tensor, *, start: int, end: int, longest: int = 50, beam: int = 12
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; a beam of 1 is greedy."""
    with torch.no_grad():
        state = model.encode(source[None])
    return beam_search(model.decoder, state, start=start, end=end, longest=longest, beam=beam)

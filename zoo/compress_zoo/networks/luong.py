"""Attention by products: Luong et al.'s global and local forms on deep LSTMs.

The score of a source word is a product of two states, with no hidden layer; the context joins
behind the LSTMs and is fed to the next step. Local attention guesses a place in the source and
looks at a window around it. 150 of 220 million weights are tables of 50,000 words, 68 million are
recurrent, attention has 2 to 4.

Source: Luong et al. 2015, arXiv:1508.04025, sections 3 and 4.1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search

Score = Literal["dot", "general"]
#: What is attended to and its keys, each `(time, batch, hidden)`.
Memory = tuple[Tensor, Tensor]
#: Memory; outputs and cells `(layers, batch, hidden)`; the attentional vector `(1, batch, hidden)`.
State = tuple[Memory, tuple[Tensor, Tensor], Tensor]


class GlobalAttention(nn.Module):
    """A mean of all source states, weighted by their products with the state of the decoder."""

    def __init__(self, hidden: int, score: Score) -> None:
        super().__init__()
        self.key = nn.Linear(hidden, hidden, bias=False) if score == "general" else nn.Identity()

    def forward(self, state: Tensor, memory: Memory) -> Tensor:
        """Return the context, `(batch, hidden)`, for a state `(batch, hidden)`."""
        values, keys = memory
        scores = torch.einsum("bh,tbh->tb", state, keys)
        return torch.einsum("tb,tbh->bh", self._weights(scores, state), values)

    def _weights(self, scores: Tensor, state: Tensor) -> Tensor:
        return scores.softmax(0)


class LocalAttention(GlobalAttention):
    """The same in a window around a predicted place (local-p), by a Gaussian about it."""

    def __init__(self, hidden: int, score: Score, window: int) -> None:
        super().__init__(hidden, score)
        self.window = window  # D: words to each side
        self.place = nn.Sequential(
            nn.Linear(hidden, hidden, bias=False), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
        )

    def _weights(self, scores: Tensor, state: Tensor) -> Tensor:
        length = scores.shape[0]
        center = length * torch.sigmoid(self.place(state)[:, 0])
        distance = torch.arange(length, device=scores.device)[:, None] - center  # (time, batch)
        outside = distance.abs() > self.window
        aligned = scores.masked_fill(outside, torch.finfo(scores.dtype).min).softmax(0)
        sigma = self.window / 2
        return aligned * torch.exp(-distance.square() / (2 * sigma**2))


class Luong(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(
        self, source: int, target: int, *, hidden: int, layers: int, attention: GlobalAttention
    ) -> None:
        super().__init__()
        self.source_words = nn.Embedding(source, hidden)
        self.encoder = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.target_words = nn.Embedding(target, hidden)
        self.decoder = nn.ModuleList(
            nn.LSTMCell(hidden if layer else 2 * hidden, hidden) for layer in range(layers)
        )
        self.attention = attention
        self.combine = nn.Linear(2 * hidden, hidden, bias=False)
        self.softmax = nn.Linear(hidden, target)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def encode(self, source: Tensor) -> State:
        """Return the decoder's state before the first word of sentences `(batch, time)`.

        They are read backward. Sentences of one batch are of one length: padding would be read
        like any word.
        """
        outputs, state = self.encoder(self.source_words(source.flip(1)))
        values = outputs.flip(1).transpose(0, 1)  # in the order of the words
        return (values, self.attention.key(values)), state, torch.zeros_like(values[:1])

    def decode(self, target: Tensor, state: State) -> tuple[Tensor, State]:
        """Return logits, `(batch, time, vocabulary)`, and the state behind target words."""
        memory, (outputs, cells), fed = state
        hidden, cell, attentional = list(outputs), list(cells), fed[0]
        vectors = []
        for word in self.target_words(target).unbind(1):
            inputs = torch.cat([word, attentional], 1)
            for layer, unit in enumerate(self.decoder):
                hidden[layer], cell[layer] = unit(inputs, (hidden[layer], cell[layer]))
                inputs = hidden[layer]
            context = self.attention(inputs, memory)
            attentional = torch.tanh(self.combine(torch.cat([context, inputs], 1)))
            vectors.append(attentional)
        after = memory, (torch.stack(hidden), torch.stack(cell)), attentional[None]
        return self.softmax(torch.stack(vectors, 1)), after

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits, _ = self.decode(target, self.encode(source))
        return logits


def translate(
    model: Luong, source: Tensor, *, start: int, end: int, longest: int = 50, beam: int = 10
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; a beam of 1 is greedy."""
    with torch.no_grad():
        state = model.encode(source[None])
    return beam_search(model.decode, state, start=start, end=end, longest=longest, beam=beam)

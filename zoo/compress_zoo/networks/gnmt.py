"""Google's neural machine translation: eight layers a side, attention, residual connections.

Wu et al. make recurrent translation deep: residual connections from the third layer on let
gradients through eight layers, only the first encoder layer reads both ways and only the first
decoder layer attends, so that layers can run at once on as many devices. Two thirds of the weights
are recurrent matrices, one third tables of 32,000 word pieces: no single layer rules the size.

Source: Wu et al. 2016, arXiv:1609.08144, sections 3 and 7.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.bidirectional import Bidirectional

LstmState = tuple[Tensor, Tensor]  # outputs and cells, each (1, batch, hidden)
#: What is attended to and its projection, `(time, batch, hidden)`; padding, `(time, batch, 1)`.
Memory = tuple[Tensor, Tensor, Tensor]
#: Memory, the first layer's state, the upper layers' states.
State = tuple[Memory, LstmState, tuple[LstmState, ...]]


class Attention(nn.Module):
    """A mean of the encoder's outputs, weighted by a network with one hidden layer."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, output: Tensor, memory: Memory) -> Tensor:
        """Return the context, `(batch, hidden)`, for the decoder's last output (equation 4)."""
        values, keys, padding = memory
        scores = self.score(torch.tanh(self.query(output) + keys))  # (time, batch, 1)
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(0)
        context: Tensor = (weights * values).sum(0)
        return context


class Encoder(nn.Module):
    """A bidirectional layer, then plain ones; residual from the third on."""

    def __init__(self, vocabulary: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden, padding_idx=0)
        self.first = Bidirectional(
            nn.LSTM(hidden, hidden, batch_first=True), nn.LSTM(hidden, hidden, batch_first=True)
        )
        self.upper = nn.ModuleList(
            nn.LSTM(hidden if number else 2 * hidden, hidden, batch_first=True)
            for number in range(layers - 1)
        )

    def forward(self, source: Tensor) -> Tensor:
        """Return outputs, `(batch, time, hidden)`, of sentences `(batch, time)`, padded with 0."""
        outputs: Tensor = self.first(self.words(source), (source != 0).sum(1))
        for number, layer in enumerate(self.upper):
            above, _ = layer(outputs)
            outputs = above + outputs if number else above
        return outputs


class Decoder(nn.Module):
    """Layers that each see the attention's context; the first one's output asks for it."""

    def __init__(self, vocabulary: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden, padding_idx=0)
        self.attention = Attention(hidden)
        self.first = nn.LSTMCell(2 * hidden, hidden)
        self.upper = nn.ModuleList(
            nn.LSTM(2 * hidden, hidden, batch_first=True) for _ in range(layers - 1)
        )
        self.softmax = nn.Linear(hidden, vocabulary)

    def forward(self, target: Tensor, state: State) -> tuple[Tensor, State]:
        """Return logits, `(batch, time, vocabulary)`, and the state behind target words."""
        memory, first, upper = state
        outputs, contexts, first = self._attend(self.words(target), memory, first)
        states = []
        for number, (layer, before) in enumerate(zip(self.upper, upper, strict=True)):
            above, after = layer(torch.cat([outputs, contexts], 2), before)
            outputs = above + outputs if number else above
            states.append(after)
        return self.softmax(outputs), (memory, first, tuple(states))

    def _attend(
        self, words: Tensor, memory: Memory, state: LstmState
    ) -> tuple[Tensor, Tensor, LstmState]:
        """Return the first layer's outputs and the contexts, `(batch, time, hidden)` each."""
        output, cell = state[0][0], state[1][0]
        outputs, contexts = [], []
        for word in words.unbind(1):
            context = self.attention(output, memory)  # of the output one step before
            output, cell = self.first(torch.cat([word, context], 1), (output, cell))
            outputs.append(output)
            contexts.append(context)
        return torch.stack(outputs, 1), torch.stack(contexts, 1), (output[None], cell[None])


class Gnmt(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(self, source: int, target: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        self.encoder = Encoder(source, hidden, layers)
        self.decoder = Decoder(target, hidden, layers)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.04, 0.04)

    def encode(self, source: Tensor) -> State:
        """Return the decoder's state before the first word: the memory, and zeros."""
        values = self.encoder(source).transpose(0, 1)
        keys = self.decoder.attention.key(values)
        zero = torch.zeros_like(values[:1])
        upper = tuple((zero, zero) for _ in self.decoder.upper)
        padding = (source == 0).transpose(0, 1)[..., None]
        return (values, keys, padding), (zero, zero), upper

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits: Tensor
        logits, _ = self.decoder(target, self.encode(source))
        return logits


def translate(
    model: Gnmt,
    source: Tensor,
    *,
    start: int,
    end: int,
    longest: int = 50,
    beam: int = 3,
    alpha: float = 0.2,
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; a beam of 1 is greedy.

    Finished translations are ranked with the paper's length penalty, without its penalty for
    source words that no attention has covered.
    """
    with torch.no_grad():
        state = model.encode(source[None])
    return beam_search(
        model.decoder, state, start=start, end=end, longest=longest, beam=beam, alpha=alpha
    )

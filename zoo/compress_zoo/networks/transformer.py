"""The Transformer: attention and nothing recurrent, from which all that followed was made.

Each layer's attention asks with several heads at once; where words stand is added as sines. Of 63
million weights 44 are in the matrices of twelve layers, two thirds of those in the two wide layers
behind each attention, and 19 in one table of 37,000 word pieces that serves both languages and the
output.

Source: Vaswani et al. 2017, arXiv:1706.03762, sections 3 and 5.4.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.rereading import before, rereading

Memory = tuple[
    Tensor, Tensor
]  # the encoder's outputs `(time, batch, width)`, words `(time, batch)`


class Attention(nn.Module):
    """Means of values, weighted by products of queries and keys, for each head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, asking: Tensor, asked: Tensor, seen: Tensor) -> Tensor:
        """Return `(batch, asking, width)`.

        Args:
            asking: `(batch, asking, width)`.
            asked: `(batch, asked, width)`.
            seen: what may be attended to, broadcast to `(batch, heads, asking, asked)`.
        """
        queries, keys, values = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, asking), (self.key, asked), (self.value, asked))
        )
        scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        heads = scores.softmax(-1) @ values
        outputs: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return outputs


class Residual(nn.Module):
    """What stands around each sublayer: dropout, the sum with its input, normalisation."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, change: Tensor) -> Tensor:
        """Return the sum of a sublayer's input and output, normalised."""
        normed: Tensor = self.norm(x + self.dropout(change))
        return normed


class EncoderLayer(nn.Module):
    """Attention among the words, then a layer of each word alone."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.attended = Residual(width, dropout)
        self.forward_layers = feed_forward(width, inner)
        self.fed = Residual(width, dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return `(batch, time, width)` of as many."""
        x = self.attended(x, self.attention(x, x, seen))
        fed: Tensor = self.fed(x, self.forward_layers(x))
        return fed


class DecoderLayer(nn.Module):
    """Attention among the words before, attention to the source, a layer of each word alone."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.attended = Residual(width, dropout)
        self.source_attention = Attention(width, heads)
        self.source_attended = Residual(width, dropout)
        self.forward_layers = feed_forward(width, inner)
        self.fed = Residual(width, dropout)

    def forward(self, x: Tensor, seen: Tensor, source: Tensor, source_seen: Tensor) -> Tensor:
        """Return `(batch, time, width)` of as many and of the source, `(batch, other, width)`."""
        x = self.attended(x, self.attention(x, x, seen))
        x = self.source_attended(x, self.source_attention(x, source, source_seen))
        fed: Tensor = self.fed(x, self.forward_layers(x))
        return fed


class Transformer(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(
        self, vocabulary: int, *, width: int, heads: int, inner: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(
            EncoderLayer(width, heads, inner, dropout) for _ in range(layers)
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(width, heads, inner, dropout) for _ in range(layers)
        )
        self.softmax = nn.Linear(width, vocabulary, bias=False)
        self.softmax.weight = self.words.weight
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.words.weight, std=width**-0.5)

    def encode(self, source: Tensor) -> Memory:
        """Return what the decoder attends to, of sentences `(batch, time)`, padded with 0."""
        x, words = self._embed(source), source != 0
        for layer in self.encoder:
            x = layer(x, words[:, None, None])
        return x.transpose(0, 1), words.T

    def decode(self, target: Tensor, memory: Memory) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        source, words = memory[0].transpose(0, 1), memory[1].T[:, None, None]
        time = torch.arange(target.shape[1], device=target.device)
        x, earlier = self._embed(target), time <= time[:, None]
        for layer in self.decoder:
            x = layer(x, earlier, source, words)
        logits: Tensor = self.softmax(x)
        return logits

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        return self.decode(target, self.encode(source))

    def _embed(self, tokens: Tensor) -> Tensor:
        words = self.words(tokens)
        time, width = words.shape[1:]
        places = sinusoids(torch.arange(time, device=tokens.device), width)
        embedded: Tensor = self.dropout(words * math.sqrt(width) + places)
        return embedded


def translate(
    model: Transformer,
    source: Tensor,
    *,
    start: int,
    end: int,
    longest: int = 50,
    beam: int = 4,
    alpha: float = 0.6,
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; a beam of 1 is greedy."""
    with torch.no_grad():
        state = before(model.encode(source[None]))
    step = rereading(model.decode)
    return beam_search(step, state, start=start, end=end, longest=longest, beam=beam, alpha=alpha)


def feed_forward(width: int, inner: int) -> nn.Sequential:
    """Return two layers of each word alone, the first of them wide (equation 2)."""
    return nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))


def sinusoids(places: Tensor, width: int) -> Tensor:
    """Return sines and cosines in turn, `(time, width)`, from wavelength 2 pi to 20,000 pi."""
    turned = angles(places, width)
    return torch.stack([turned.sin(), turned.cos()], -1).flatten(1)


def angles(places: Tensor, width: int) -> Tensor:
    """Return how far each of `width / 2` waves has turned, `(time, width / 2)`."""
    even = torch.arange(0, width, 2, device=places.device)
    return places[:, None] * torch.exp(even * (-math.log(10_000) / width))

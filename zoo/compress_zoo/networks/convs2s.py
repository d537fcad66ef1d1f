"""ConvS2S: translation by convolutions, in which all words are worked on at once.

Gehring et al. stack gated convolutions of width 3, and each decoder layer attends to the source on
its own. Residuals are scaled by the root of a half so that the variance stays. Of 137 million
weights 61 are tables of words and 63 are convolutions, all of one shape.

Source: Gehring et al. 2017, arXiv:1705.03122, sections 3 and 5.1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.rereading import before, rereading

_HALF = math.sqrt(0.5)
_KERNEL = 3

#: Keys and values `(time, batch, dimensions)`, padding `(time, batch)`.
Memory = tuple[Tensor, Tensor, Tensor]


class Embedding(nn.Module):
    """Words and their places, each with a table."""

    def __init__(self, vocabulary: int, dimensions: int, places: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.places = nn.Embedding(places, dimensions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(batch, time, dimensions)` of tokens `(batch, time)`."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        embedded: Tensor = self.dropout(self.words(tokens) + self.places(places))
        return embedded


class GatedConv(nn.Module):
    """A convolution to twice the channels, one half of which gates the other."""

    def __init__(self, hidden: int, dropout: float, *, before: int, behind: int) -> None:
        super().__init__()
        self.padding = (before, behind)
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv1d(hidden, 2 * hidden, _KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, hidden, time)` of as many."""
        return functional.glu(self.conv(functional.pad(self.dropout(x), self.padding)), 1)


class Encoder(nn.Module):
    """Embeddings, then layers that see one word more to each side."""

    def __init__(self, embedding: Embedding, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        dimensions = embedding.words.embedding_dim
        self.input = nn.Linear(dimensions, hidden)
        self.layers = nn.ModuleList(
            GatedConv(hidden, dropout, before=_KERNEL // 2, behind=_KERNEL // 2)
            for _ in range(layers)
        )
        self.output = nn.Linear(hidden, dimensions)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, `(batch, time, dimensions)`; values know the words, too."""
        embedded, padding = self.embedding(source), (source == 0)[:, None]
        x = self.input(embedded).transpose(1, 2)
        for layer in self.layers:
            x = x.masked_fill(padding, 0)  # as zeros are outside of the sentence
            x = (layer(x) + x) * _HALF
        keys = self.output(x.transpose(1, 2))
        values: Tensor = (keys + embedded) * _HALF
        return keys, values


class DecoderLayer(nn.Module):
    """A gated convolution that sees no later word, and attention in its residual."""

    def __init__(self, hidden: int, dimensions: int, dropout: float) -> None:
        super().__init__()
        self.conv = GatedConv(hidden, dropout, before=_KERNEL - 1, behind=0)
        self.query = nn.Linear(hidden, dimensions)
        self.context = nn.Linear(dimensions, hidden)

    def forward(self, x: Tensor, embedded: Tensor, memory: Memory) -> Tensor:
        """Return `(batch, hidden, time)` of as many, and of the embedded words before."""
        convolved: Tensor = self.conv(x)
        query = (self.query(convolved.transpose(1, 2)) + embedded) * _HALF
        context = self.context(_attend(query, memory)).transpose(1, 2)
        attended: Tensor = (convolved + context) * _HALF
        return (attended + x) * _HALF


class Decoder(nn.Module):
    """Embeddings, layers with attention, and one projection before the words."""

    def __init__(self, embedding: Embedding, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        dimensions = embedding.words.embedding_dim
        self.input = nn.Linear(dimensions, hidden)
        self.layers = nn.ModuleList(
            DecoderLayer(hidden, dimensions, dropout) for _ in range(layers)
        )
        self.output = nn.Linear(hidden, dimensions)
        self.dropout = nn.Dropout(dropout)
        self.softmax = nn.Linear(dimensions, embedding.words.num_embeddings)

    def forward(self, target: Tensor, memory: Memory) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        embedded = self.embedding(target)
        x = self.input(embedded).transpose(1, 2)
        for layer in self.layers:
            x = layer(x, embedded, memory)
        logits: Tensor = self.softmax(self.dropout(self.output(x.transpose(1, 2))))
        return logits


class ConvS2S(nn.Module):
    """Logits of the next target word at each step, all target words before it given."""

    def __init__(
        self,
        source: int,
        target: int,
        *,
        dimensions: int,
        hidden: int,
        layers: int,
        places: int,
        dropout: float,
    ) -> None:
        super().__init__()
        read, written = (
            Embedding(words, dimensions, places, dropout) for words in (source, target)
        )
        self.encoder = Encoder(read, hidden, layers, dropout)
        self.decoder = Decoder(written, hidden, layers, dropout)
        for module in self.modules():
            _initialize(module, 1 - dropout)

    def encode(self, source: Tensor) -> Memory:
        """Return what the decoder attends to, of sentences `(batch, time)`, padded with 0."""
        keys, values = self.encoder(source)
        return keys.transpose(0, 1), values.transpose(0, 1), (source == 0).T

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return logits, `(batch, time, vocabulary)`, of the words that follow each of `target`."""
        logits: Tensor = self.decoder(target, self.encode(source))
        return logits


def translate(
    model: ConvS2S, source: Tensor, *, start: int, end: int, longest: int = 50, beam: int = 5
) -> list[int]:
    """Return the translation of one sentence, `(time,)`; a beam of 1 is greedy."""
    with torch.no_grad():
        state = before(model.encode(source[None]))
    step = rereading(model.decoder)
    return beam_search(step, state, start=start, end=end, longest=longest, beam=beam)


def with_weight_norm(model: nn.Module) -> None:
    """Give all weights but tables a length and a direction, as the paper trains them.

    `torch.nn.utils.parametrize.remove_parametrizations` makes plain weights of them again.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            parametrizations.weight_norm(module)


def _attend(query: Tensor, memory: Memory) -> Tensor:
    """Return contexts, `(batch, target time, dimensions)` (equations 1 and 2)."""
    keys, values, padding = memory
    scores = torch.einsum("bid,jbd->bij", query, keys)
    scores = scores.masked_fill(padding.T[:, None], torch.finfo(scores.dtype).min)
    words = (~padding).sum(0).to(scores.dtype)[:, None, None]
    return torch.einsum("bij,jbd->bid", scores.softmax(-1), values) * words.sqrt()


def _initialize(module: nn.Module, kept: float) -> None:
    """Keep the variance (section 3.5): a gate takes three quarters of it, dropout raises it."""
    match module:
        case nn.Embedding():
            nn.init.normal_(module.weight, std=0.1)
        case nn.Conv1d():
            inputs = module.in_channels * _KERNEL
            nn.init.normal_(module.weight, std=math.sqrt(4 * kept / inputs))
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # there is one
        case nn.Linear():
            nn.init.normal_(module.weight, std=math.sqrt(1 / module.in_features))
            nn.init.zeros_(module.bias)

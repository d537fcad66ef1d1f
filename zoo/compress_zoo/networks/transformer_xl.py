"""Transformer-XL: a transformer that remembers the texts before the one that it reads.

The layers' inputs of earlier segments are kept and attended to, which needs places that are told
by distance: four terms in place of one product. With memory as an input and an output, the network
is a pure function that reads a text of any length piece by piece. All but 0.1 of 41 million weights
are in seven matrices a layer: the vocabulary is 204 bytes.

Source: Dai et al. 2019, arXiv:1901.02860, section 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.transformer import Residual, angles, feed_forward


class RelativeAttention(nn.Module):
    """Attention to words before, told apart by content and by distance."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.distance = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, seen: Tensor, distances: Tensor, content: Tensor, place: Tensor
    ) -> Tensor:
        """Return `(batch, time, width)`.

        Args:
            x: `(batch, time, width)`.
            seen: memory and x, `(batch, memory + time, width)`.
            distances: encoded, the largest first, `(memory + time, width)`.
            content: what all queries ask of contents, u of the paper, `(heads, size)`.
            place: what all queries ask of distances, v of the paper.
        """
        queries = self._heads(self.query(x))
        keys, values = self._heads(self.key(seen)), self._heads(self.value(seen))
        far = self._heads(self.distance(distances))
        scores = (queries + content[:, None]) @ keys.mT
        scores = scores + shifted((queries + place[:, None]) @ far.mT)
        time, length = scores.shape[-2:]
        steps = torch.arange(length, device=x.device)
        later = steps > steps[length - time :, None]
        scores = scores / math.sqrt(queries.shape[-1])
        weights = scores.masked_fill(later, torch.finfo(scores.dtype).min).softmax(-1)
        outputs: Tensor = self.output((weights @ values).transpose(1, 2).flatten(2))
        return outputs

    def _heads(self, x: Tensor) -> Tensor:
        """Return `(…, heads, time, size)` of `(…, time, width)`."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-2, -3)


class Layer(nn.Module):
    """Attention to memory and the words before, then a layer of each word alone."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = RelativeAttention(width, heads)
        self.attended = Residual(width, dropout)
        self.forward_layers = feed_forward(width, inner)
        self.fed = Residual(width, dropout)

    def forward(
        self, x: Tensor, memory: Tensor, distances: Tensor, content: Tensor, place: Tensor
    ) -> Tensor:
        """Return `(batch, time, width)` of as many and of this layer's memory."""
        seen = torch.cat([memory, x], 1)
        x = self.attended(x, self.attention(x, seen, distances, content, place))
        fed: Tensor = self.fed(x, self.forward_layers(x))
        return fed


class TransformerXl(nn.Module):
    """Logits of the next symbol at each step, and the memory for the segment behind."""

    def __init__(
        self, vocabulary: int, *, width: int, heads: int, inner: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.symbols = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, inner, dropout) for _ in range(layers))
        self.content = nn.Parameter(torch.empty(heads, width // heads))  # shared by all layers
        self.place = nn.Parameter(torch.empty(heads, width // heads))
        self.softmax = nn.Linear(width, vocabulary)
        self.softmax.weight = self.symbols.weight
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, `(batch, time, vocabulary)`, and the next memory.

        Args:
            tokens: `(batch, time)`.
            memory: the layers' inputs at the steps before, `(batch, layers, steps, width)`.
        """
        width = memory.shape[-1]
        x = self.dropout(self.symbols(tokens) * math.sqrt(width))
        far = torch.arange(memory.shape[2] + tokens.shape[1] - 1, -1, -1, device=tokens.device)
        distances = self.dropout(halves(far, width))
        inputs = []
        for layer, past in zip(self.layers, memory.unbind(1), strict=True):
            inputs.append(x)
            x = layer(x, past, distances, self.content, self.place)
        together = torch.cat([memory, torch.stack(inputs, 1)], 2)
        return self.softmax(self.dropout(x)), together[:, :, tokens.shape[1] :].detach()


@torch.no_grad()
def generate(model: TransformerXl, tokens: Tensor, memory: Tensor, count: int) -> Tensor:
    """Return the likeliest symbols behind `(batch, time)`, one by one, `(batch, count)`.

    Args:
        model: in evaluation mode.
        tokens: what is read first.
        memory: of what came before; zeros where nothing did.
        count: symbols to write.
    """
    written = []
    for _ in range(count):
        logits, memory = model(tokens, memory)
        tokens = logits[:, -1:].argmax(-1)
        written.append(tokens)
    return torch.cat(written, 1)


def shifted(scores: Tensor) -> Tensor:
    """Move each query's scores of distances to where the distances are (appendix B).

    Row i comes with distances from the largest to 0, and is moved left by what it is short of the
    last row. What enters at the right belongs to later words, and is masked by the caller.

    >>> shifted(torch.tensor([[[[2, 1, 0], [2, 1, 0]]]])).tolist()
    [[[[1, 0, 0], [2, 1, 0]]]]
    """
    batch, heads, time, length = scores.shape
    padded = functional.pad(scores, (1, 0)).reshape(batch, heads, length + 1, time)
    return padded[:, :, 1:].reshape(batch, heads, time, length)


def halves(places: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, `(time, width)`: the order of the authors' code."""
    turned = angles(places, width)
    return torch.cat([turned.sin(), turned.cos()], -1)

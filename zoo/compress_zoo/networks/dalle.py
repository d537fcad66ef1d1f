"""DALL-E: one transformer over a caption's tokens and, behind them, the tokens of its picture.

Both are one stream of 256 + 1024 tokens, each predicted from those before it. An image token
attends to the whole text, but of the image only to its row, its column or (in the last layer) its
surroundings. The published models have 2.8 to 12 billion parameters; ours keeps the stream,
the vocabularies and the attention patterns, and has 8 layers of 512. At that size half of the
weights are the embeddings and the two output layers, which look up or name tokens.

Source: Ramesh et al. 2021, arXiv:2102.12092, section 2.2 and appendix B.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import assert_never

TEXT_VOCABULARY, IMAGE_VOCABULARY = 16_384, 8_192
TEXT_LENGTH, SIDE = 256, 32
_REACH = 5  # of the convolutional pattern, 11 x 11
_TEXT_WEIGHT = 1 / 8  # of the loss; the rest is the image's

Pattern = Literal["row", "column", "convolution"]


class Layer(nn.Module):
    """Masked self-attention and a perceptron, each behind a normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the tokens' next states, `(batch, tokens, width)`."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, tokens, width)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.project(attended.transpose(1, 2).flatten(2))
        y: Tensor = x + self.perceptron(self.norm2(x))
        return y


class DallE(nn.Module):
    """Logits of every text token and every image token from the tokens before it.

    Args:
        width: of the transformer, in heads of 64.
        layers: of the transformer.
        text_length: tokens of a caption, padded with zeros.
        side: height and width of the image's grid of tokens.
        text_vocabulary: kinds of text tokens.
        image_vocabulary: kinds of image tokens.
    """

    def __init__(
        self,
        width: int = 512,
        layers: int = 8,
        text_length: int = TEXT_LENGTH,
        side: int = SIDE,
        text_vocabulary: int = TEXT_VOCABULARY,
        image_vocabulary: int = IMAGE_VOCABULARY,
    ) -> None:
        super().__init__()
        self.text_vocabulary, self.side = text_vocabulary, side
        # Behind the vocabulary: a padding token for each place, then the start of the text.
        self.text = nn.Embedding(text_vocabulary + text_length + 1, width)
        self.text_place = nn.Embedding(text_length + 1, width)
        self.image = nn.Embedding(image_vocabulary, width)
        self.row = nn.Embedding(side, width)
        self.column = nn.Embedding(side, width)
        self.patterns = tuple(_pattern(number, layers) for number in range(1, layers + 1))
        self.layers = nn.ModuleList(Layer(width, width // 64) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.text_logits = nn.Linear(width, text_vocabulary)
        self.image_logits = nn.Linear(width, image_vocabulary)

    def forward(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Predict each token from those before it.

        Args:
            text: `(batch, text_length)`; 0 is padding.
            image: `(batch, side * side)`, row by row; the last token predicts nothing.

        Returns:
            Logits `(batch, text_length, text_vocabulary)` and
            `(batch, side * side, image_vocabulary)`.
        """
        x = torch.cat([self._embed_text(text), self._embed_image(image)[:, :-1]], dim=1)
        length = text.shape[1]
        masks = {
            pattern: attention_mask(pattern, length + 1, x.shape[1], self.side, x.device)
            for pattern in sorted(set(self.patterns))
        }
        for pattern, layer in zip(self.patterns, self.layers, strict=True):
            x = layer(x, masks[pattern])
        x = self.norm(x)
        return self.text_logits(x[:, :length]), self.image_logits(x[:, length:])

    def _embed_text(self, text: Tensor) -> Tensor:
        """Return embeddings of the start and the text, `(batch, text_length + 1, width)`."""
        places = torch.arange(text.shape[1], device=text.device)
        padded = torch.where(text == 0, self.text_vocabulary + places, text)
        padded = functional.pad(padded, (1, 0), value=self.text.num_embeddings - 1)
        embedded: Tensor = self.text(padded) + self.text_place.weight
        return embedded

    def _embed_image(self, image: Tensor) -> Tensor:
        places = self.row.weight[:, None] + self.column.weight  # (side, side, width)
        embedded: Tensor = self.image(image) + places.flatten(0, 1)
        return embedded


def attention_mask(
    pattern: Pattern, text: int, length: int, side: int, device: torch.device | None = None
) -> Tensor:
    """Return which token (row) attends to which (column): `(length, length)`, bool.

    Args:
        pattern: of the image tokens among themselves.
        text: number of tokens in front of the image's.
        length: of the stream.
        side: width of the image's grid.
        device: where to make it.
    """
    token = torch.arange(length, device=device)
    place = token - text
    down = (place // side)[:, None] - place // side
    right = (place % side)[:, None] - place % side
    match pattern:
        case "row":
            near = down == 0
        case "column":
            near = right == 0
        case "convolution":
            near = (down.abs() <= _REACH) & (right.abs() <= _REACH)
        case _:
            assert_never(pattern)
    return (token <= token[:, None]) & ((token < text) | near)


def dalle_loss(logits: tuple[Tensor, Tensor], text: Tensor, image: Tensor) -> Tensor:
    """Return the cross-entropies of both kinds of tokens, weighted 1/8 and 7/8.

    Padding is predicted as token 0.
    """
    of_text, of_image = (
        functional.cross_entropy(scores.flatten(0, 1), tokens.flatten())
        for scores, tokens in zip(logits, (text, image), strict=True)
    )
    return _TEXT_WEIGHT * of_text + (1 - _TEXT_WEIGHT) * of_image


@torch.no_grad()
def draw(model: DallE, text: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Draw an image's tokens `(batch, side * side)` for captions, one after the other.

    Every step computes the whole stream again: exact and slow.
    """
    image = torch.zeros(len(text), model.side**2, dtype=torch.int64, device=text.device)
    for place in range(image.shape[1]):
        probabilities = (model(text, image)[1][:, place] / temperature).softmax(-1)
        image[:, place] = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    return image


def _pattern(number: int, layers: int) -> Pattern:
    """Return the pattern of a layer, counted from 1."""
    if number == layers:
        return "convolution"
    return "column" if (number - 2) % 4 == 0 else "row"

"""Convolutions over words for the class of a sentence.

Kim takes one convolution over word vectors, keeps each map's largest value, and classifies those:
as good as the deep and recursive networks of its day. More than nine tenths of the weights are the
word vectors, pretrained in the paper and then kept (static) or trained on (non-static); of the
rest the convolutions are nearly all.

Source: Kim 2014, arXiv:1408.5882, section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TextCnn(nn.Module):
    """CNN-rand, -static and -non-static; word 0 is the padding."""

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        *,
        dimensions: int,
        windows: tuple[int, ...],
        maps: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(dimensions, maps, size) for size in windows)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(maps * len(windows), classes)

    def forward(self, words: Tensor) -> Tensor:
        """Return the logits, `(batch, classes)`, of sentences `(batch, words)`."""
        sentence = self.words(words).transpose(1, 2)  # (batch, dimensions, words)
        largest = [layer(sentence).relu().amax(2) for layer in self.convolutions]
        logits: Tensor = self.classifier(self.dropout(torch.cat(largest, 1)))
        return logits


def limit_norms(layer: nn.Linear, largest: float = 3.0) -> None:
    """Scale each class's weights back to a norm of at most `largest`, after a step (section 2.1)."""
    with torch.no_grad():
        layer.weight.renorm_(2, 0, largest)

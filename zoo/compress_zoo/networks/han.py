"""Hierarchical attention: words make sentences, sentences make a document.

Yang et al. read a document twice with one block: a bidirectional GRU over the words of each
sentence and attention that says which words matter, then the same over the sentences. The word
vectors hold nearly all weights; both blocks together have less than 0.15 million.

Source: Yang et al. 2016, "Hierarchical attention networks for document classification", section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.bidirectional import Bidirectional


class AttentiveEncoder(nn.Module):
    """A bidirectional GRU, and attention that makes one vector of its outputs."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gru = Bidirectional(
            nn.GRU(features, hidden, batch_first=True), nn.GRU(features, hidden, batch_first=True)
        )
        self.hidden = nn.Linear(2 * hidden, 2 * hidden)  # W_w and b_w
        self.context = nn.Linear(2 * hidden, 1, bias=False)  # u_w: what an informative word is

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors `(batch, 2 * hidden)` and the attention on each step, `(batch, time)`."""
        outputs = self.gru(inputs, lengths)
        scores = self.context(torch.tanh(self.hidden(outputs))).squeeze(-1)
        padding = torch.arange(inputs.shape[1], device=inputs.device) >= lengths[:, None]
        attention = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(1)
        return (attention[..., None] * outputs).sum(1), attention


class Han(nn.Module):
    """The class of a document of sentences of words; word 0 is the padding, behind the others."""

    def __init__(self, vocabulary: int, classes: int, *, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions, padding_idx=0)
        self.word_encoder = AttentiveEncoder(dimensions, hidden)
        self.sentence_encoder = AttentiveEncoder(2 * hidden, hidden)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, document: Tensor) -> Tensor:
        """Return the logits, `(batch, classes)`, of documents `(batch, sentences, words)`."""
        n_words = (document != 0).sum(2)  # (batch, sentences)
        words = self.words(document).flatten(0, 1)
        vectors, _ = self.word_encoder(words, n_words.flatten())
        sentences = vectors.view(*n_words.shape, -1)
        vector, _ = self.sentence_encoder(sentences, (n_words != 0).sum(1))
        logits: Tensor = self.classifier(vector)
        return logits

"""A tagger from characters and words: bidirectional LSTMs under a conditional random field.

Lample et al. build a word's vector from two: its row in a table, and what a small bidirectional
LSTM makes of its spelling, so that names never seen still look like names. A second one reads the
sentence, and a CRF decides on all tags together. Nine tenths of the weights are the word table.

Source: Lample et al. 2016, arXiv:1603.01360, sections 2, 4 and 5.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress_zoo.networks.bidirectional import Bidirectional, last
from compress_zoo.networks.crf import Crf


class BilstmCrf(nn.Module):
    """Word 0 and character 0 are padding, behind the others."""

    def __init__(
        self,
        words: int,
        characters: int,
        tags: int,
        *,
        word_dimensions: int,
        character_dimensions: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, word_dimensions, padding_idx=0)
        self.characters = nn.Embedding(characters, character_dimensions, padding_idx=0)
        self.speller = _bilstm(character_dimensions, character_dimensions)
        self.dropout = nn.Dropout(dropout)
        self.reader = _bilstm(word_dimensions + 2 * character_dimensions, hidden)
        self.hidden = nn.Linear(2 * hidden, hidden)
        self.scorer = nn.Linear(hidden, tags)
        self.crf = Crf(tags)

    def scores(self, words: Tensor, characters: Tensor) -> Tensor:
        """Return each tag's score for each word, `(batch, time, tags)`: what the CRF is fed."""
        letters = self.characters(characters).flatten(0, 1)  # (batch * time, length, features)
        n_letters = (characters != 0).sum(2).flatten()
        spelled = last(self.speller(letters, n_letters), n_letters).view(*words.shape, -1)
        inputs = self.dropout(torch.cat([self.words(words), spelled], 2))
        outputs = self.reader(inputs, (words != 0).sum(1))
        scores: Tensor = self.scorer(torch.tanh(self.hidden(outputs)))
        return scores

    def loss(self, words: Tensor, characters: Tensor, tags: Tensor) -> Tensor:
        """Return the negative log-likelihood of tags, `(batch, time)`, mean over the batch."""
        return self.crf.loss(self.scores(words, characters), (words != 0).sum(1), tags)

    def forward(self, words: Tensor, characters: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tags' scores, `(batch, time, tags)`, and the best tags, `(batch, time)`.

        Args:
            words: `(batch, time)`.
            characters: the words' spelling, `(batch, time, length)`.
        """
        scores = self.scores(words, characters)
        return scores, self.crf(scores, (words != 0).sum(1))


def _bilstm(features: int, hidden: int) -> Bidirectional:
    return Bidirectional(
        nn.LSTM(features, hidden, batch_first=True), nn.LSTM(features, hidden, batch_first=True)
    )

"""GloVe: word vectors from counts of which words stand near which.

Instead of walking through the text, Pennington et al. count once how often word j stands near
word i, and fit w_i . c_j + b_i + d_j to the logarithm of that count. All weights are in two tables
of one row a word. What is shipped in the end is the sum of both: half the bytes before any
compression.

Source: Pennington et al. 2014, "GloVe: Global vectors for word representation", section 3.
"""

from __future__ import annotations

from torch import Tensor, nn


class Glove(nn.Module):
    """The log-bilinear model of a pair of words."""

    def __init__(self, vocabulary: int, dimensions: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions)
        self.contexts = nn.Embedding(vocabulary, dimensions)
        self.word_biases = nn.Embedding(vocabulary, 1)
        self.context_biases = nn.Embedding(vocabulary, 1)

    def forward(self, word: Tensor, context: Tensor) -> Tensor:
        """Return the logarithm of how often each word stands near each context word, `(batch,)`."""
        product = self.words(word)[:, None] @ self.contexts(context)[..., None]  # (batch, 1, 1)
        biases = self.word_biases(word) + self.context_biases(context)
        predicted: Tensor = (product.squeeze(2) + biases).squeeze(1)
        return predicted


def vectors(model: Glove) -> nn.Embedding:
    """Return the table that is shipped: the sum of both, better than either (section 4.2)."""
    table = model.words.weight.detach() + model.contexts.weight.detach()
    return nn.Embedding(table.shape[0], table.shape[1], _weight=table)


def glove_loss(predicted: Tensor, counts: Tensor) -> Tensor:
    """Return the weighted squares of the errors, mean over pairs of words that occur.

    Args:
        predicted: what the network says, `(pairs,)`.
        counts: how often each pair occurs, above 0, `(pairs,)`.

    Source: equation 8.
    """
    return (count_weights(counts) * (predicted - counts.log()) ** 2).mean()


def count_weights(counts: Tensor, largest: float = 100.0, power: float = 0.75) -> Tensor:
    """Return the weight of each pair: rare pairs are noise, frequent ones must not rule.

    Source: equation 9.
    """
    return (counts / largest).clamp(max=1) ** power

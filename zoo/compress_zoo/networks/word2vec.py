"""word2vec: word vectors from a network without a hidden layer.

Earlier neural language models spent their time in a hidden layer; Mikolov et al. leave it out, and
train on far more text instead. CBOW predicts a word from the mean of its neighbours'
vectors, skip-gram the neighbours from the word. All weights are in two tables of one row a word,
and most rows belong to rare words: they share and prune well, and an input touches few of them.

A softmax over all words is what the tables define and what is exported. It is too slow to train
through: negative sampling is below, hierarchical softmax in `hierarchical_softmax`.

Source: Mikolov et al. 2013, arXiv:1301.3781, section 3, and arXiv:1310.4546, sections 2.2 and 2.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Cbow(nn.Module):
    """Continuous bag of words: from a context to the word in its middle."""

    def __init__(self, vocabulary: int, dimensions: int) -> None:
        super().__init__()
        self.projection = nn.Embedding(vocabulary, dimensions)
        self.output = nn.Linear(dimensions, vocabulary, bias=False)

    def hidden(self, context: Tensor) -> Tensor:
        """Return the mean of the vectors around, `(batch, dimensions)`."""
        mean: Tensor = self.projection(context).mean(1)
        return mean

    def forward(self, context: Tensor) -> Tensor:
        """Return the scores of all words, `(batch, vocabulary)`, for contexts `(batch, words)`."""
        scores: Tensor = self.output(self.hidden(context))
        return scores


class SkipGram(nn.Module):
    """Skip-gram: from a word to those near it."""

    def __init__(self, vocabulary: int, dimensions: int) -> None:
        super().__init__()
        self.projection = nn.Embedding(vocabulary, dimensions)
        self.output = nn.Linear(dimensions, vocabulary, bias=False)

    def hidden(self, word: Tensor) -> Tensor:
        """Return the words' vectors, `(batch, dimensions)`."""
        vector: Tensor = self.projection(word)
        return vector

    def forward(self, word: Tensor) -> Tensor:
        """Return the scores of all words, `(batch, vocabulary)`, for words `(batch,)`."""
        scores: Tensor = self.output(self.hidden(word))
        return scores


def negative_sampling_loss(
    hidden: Tensor, output: nn.Linear, words: Tensor, negatives: Tensor
) -> Tensor:
    """Return the loss of telling true words from noise, mean over the batch.

    Args:
        hidden: what the network's `hidden` returns, `(batch, dimensions)`.
        output: the network's table of output vectors.
        words: the true word of each sample, `(batch,)`.
        negatives: draws from the noise distribution, `(batch, k)`; the paper takes k = 5 to 20.

    Source: arXiv:1310.4546, equation 4.
    """
    chosen = functional.embedding(
        torch.cat([words[:, None], negatives], 1), output.weight
    )  # (batch, 1+k, d)
    scores = (chosen @ hidden[..., None]).squeeze(-1)
    noise = functional.logsigmoid(-scores[:, 1:]).sum(1)
    return -(functional.logsigmoid(scores[:, 0]) + noise).mean()


def noise_distribution(counts: Tensor) -> Tensor:
    """Return the probabilities that negatives are drawn with: unigrams to the power of 3/4."""
    weights = counts.double() ** 0.75
    return (weights / weights.sum()).float()


def keep_probability(counts: Tensor, threshold: float = 1e-5) -> Tensor:
    """Return how likely an occurrence of each word stays in the text: frequent ones rarely do.

    Source: arXiv:1310.4546, equation 5.
    """
    frequency = counts.double() / counts.sum()
    return (threshold / frequency).sqrt().clamp(max=1).float()

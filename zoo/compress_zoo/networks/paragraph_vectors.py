"""Paragraph vectors: word2vec with one more vector, which stands for the whole text.

In the distributed memory (PV-DM) the text's vector joins those of the last words to predict the
next one: it holds what the words leave out. In the distributed bag of words (PV-DBOW) it predicts
the text's words alone. Concatenated, not averaged, the words keep their order, and the output layer
grows with their number: it and the table of texts hold nearly all weights. The words and the output
layer are what a new text needs: its vector is fitted with them frozen.

Source: Le & Mikolov 2014, arXiv:1405.4053, sections 2.2 to 2.4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class DistributedMemory(nn.Module):
    """PV-DM: from a text and `window` of its words to the word that follows."""

    def __init__(self, texts: int, vocabulary: int, dimensions: int, window: int) -> None:
        super().__init__()
        self.texts = nn.Embedding(texts, dimensions)
        self.words = nn.Embedding(vocabulary, dimensions)
        self.window = window
        self.output = nn.Linear((1 + window) * dimensions, vocabulary)

    def predict(self, text: Tensor, words: Tensor) -> Tensor:
        """Return what `forward` does, for texts' vectors `(batch, dimensions)`."""
        scores: Tensor = self.output(torch.cat([text, self.words(words).flatten(1)], 1))
        return scores

    def forward(self, text: Tensor, words: Tensor) -> Tensor:
        """Return the scores of all words, `(batch, vocabulary)`, for texts' numbers `(batch,)`."""
        return self.predict(self.texts(text), words)


class DistributedBagOfWords(nn.Module):
    """PV-DBOW: from a text to its words."""

    def __init__(self, texts: int, vocabulary: int, dimensions: int) -> None:
        super().__init__()
        self.texts = nn.Embedding(texts, dimensions)
        self.output = nn.Linear(dimensions, vocabulary)

    def predict(self, text: Tensor) -> Tensor:
        """Return what `forward` does, for texts' vectors `(batch, dimensions)`."""
        scores: Tensor = self.output(text)
        return scores

    def forward(self, text: Tensor) -> Tensor:
        """Return the scores of all words, `(batch, vocabulary)`, for texts' numbers `(batch,)`."""
        return self.predict(self.texts(text))


def infer(
    model: DistributedMemory | DistributedBagOfWords,
    words: Tensor,
    *,
    steps: int = 100,
    rate: float = 0.1,
) -> Tensor:
    """Return the vector of a new text, `(dimensions,)`, fitted with everything else frozen.

    Args:
        model: trained; it is not changed.
        words: the text, `(n,)`; for PV-DM, n above its window (the paper pads shorter texts before).
        steps: of gradient descent, each over the whole text.
        rate: length of a step.
    """
    match model:
        case DistributedMemory():
            windows = words.unfold(0, model.window + 1, 1)  # (n - window, window + 1)
            before, targets = windows[:, :-1], windows[:, -1]

            def scores(text: Tensor) -> Tensor:
                return model.predict(text.expand(len(targets), -1), before)
        case DistributedBagOfWords():
            targets = words

            def scores(text: Tensor) -> Tensor:
                return model.predict(text).expand(len(targets), -1)

    text = torch.zeros(1, model.texts.embedding_dim, requires_grad=True)
    for _ in range(steps):
        (slope,) = torch.autograd.grad(functional.cross_entropy(scores(text), targets), text)
        text = (text - rate * slope).detach().requires_grad_()
    return text.detach()[0]

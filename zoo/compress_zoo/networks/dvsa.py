"""Deep visual-semantic alignment: how well the words of a sentence fit the regions of an image.

A convolutional network gives a vector for each of 20 regions, a bidirectional recurrent one for
each word in its context; a sentence's score is the sum, over its words, of the best inner product
with a region. Of the 67 million weights 55 million are in the two fully connected layers of the
convolutional network, which also runs 20 times an image.

Source: Karpathy & Fei-Fei 2014, arXiv:1412.2306, section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REGIONS = 20  # the 19 best of a detector, and the whole image
FEATURES = 4096  # of the layer before the classifier
WORD = 300  # of the word embeddings
WIDTH = 1000  # of the common space: h, which the paper takes from 1000 to 1600


class BidirectionalRNN(nn.Module):
    """The words' vectors `(batch, words, width)` in their context (equations 2 to 6).

    The recurrent layers have no input matrix of their own, as nn.RNN would: `e` enters as it is.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WORD)  # W_w: from word2vec, not trained on
        self.enter = nn.Linear(WORD, width)  # W_e, b_e
        self.forwards = nn.Linear(width, width)  # W_f, b_f
        self.backwards = nn.Linear(width, width)  # W_b, b_b
        self.leave = nn.Linear(width, width)  # W_d, b_d
        self.embedding.weight.requires_grad_(False)

    def forward(self, words: Tensor) -> Tensor:
        """Return the vectors of the words, `(batch, words)`."""
        entered = self.enter(self.embedding(words)).relu().unbind(1)
        past = _recur(self.forwards, entered)
        future = _recur(self.backwards, entered[::-1])[::-1]
        both = torch.stack([p + f for p, f in zip(past, future, strict=True)], dim=1)
        vectors: Tensor = self.leave(both).relu()
        return vectors


class DVSA(nn.Module):
    """Alignment score of each image with its sentence, `(batch,)`.

    Args:
        cnn: from a region's pixels to its 4096 features.
        vocabulary: number of words.
        width: of the common space.
    """

    def __init__(self, cnn: nn.Module, vocabulary: int, width: int = WIDTH) -> None:
        super().__init__()
        self.cnn = cnn
        self.embed = nn.Linear(FEATURES, width)  # W_m, b_m
        self.brnn = BidirectionalRNN(vocabulary, width)

    def forward(self, regions: Tensor, words: Tensor) -> Tensor:
        """Score each image with the sentence of the same number.

        Args:
            regions: `(batch, 20, 3, 224, 224)`.
            words: `(batch, words)`.
        """
        fits: Tensor = self.brnn(words) @ self.region_vectors(regions).transpose(1, 2)
        return fits.amax(2).sum(1)

    def region_vectors(self, regions: Tensor) -> Tensor:
        """Return the regions' vectors, `(batch, regions, width)`; these can be stored."""
        features = self.cnn(regions.flatten(0, 1))
        vectors: Tensor = self.embed(features).unflatten(0, (-1, regions.shape[1]))
        return vectors


def all_scores(regions: Tensor, words: Tensor) -> Tensor:
    """Return the score of each image (row) with each sentence (column) (equation 8).

    Args:
        regions: vectors `(images, regions, width)`.
        words: vectors `(sentences, words, width)`.
    """
    return torch.einsum("krd,swd->kswr", regions, words).amax(3).sum(2)


def ranking_loss(scores: Tensor) -> Tensor:
    """Return the max-margin loss of a square of scores whose diagonal is right (equation 9)."""
    right = scores.diagonal()
    sentences = (scores - right[:, None] + 1).relu().sum()
    images = (scores - right + 1).relu().sum()
    return sentences + images - 2 * len(scores)  # the diagonal adds 1 to each, whatever it is


def align(fits: Tensor, smoothness: float) -> list[int]:
    """Return the region of each word such that neighbours tend to share one (equations 10 to 12).

    The best path of a Markov chain, found by dynamic programming.

    Args:
        fits: inner products `(words, regions)`.
        smoothness: beta, what two neighbours in one region are worth.
    """
    bonus = smoothness * torch.eye(fits.shape[1])
    best, sources = fits[0], []
    for fit in fits[1:]:
        arrived, source = (best[:, None] + bonus).max(0)
        best = arrived + fit
        sources.append(source)
    path = [int(best.argmax())]
    for source in reversed(sources):
        path.append(int(source[path[-1]]))
    return path[::-1]


def _recur(layer: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return h(t) = relu(e(t) + W h(t - 1) + b); there is nothing before the first."""
    state = torch.zeros_like(inputs[0])
    states = []
    for entered in inputs:
        state = (entered + layer(state)).relu()
        states.append(state)
    return states

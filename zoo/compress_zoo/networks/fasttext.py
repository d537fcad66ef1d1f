"""fastText: the mean of word and n-gram vectors, and a linear classifier.

Joulin et al. show that this is nearly as good as deep networks, and thousands of times faster to
train. Bigrams, which give it some word order, are too many for a table of their own: they are
hashed into ten million rows. So all but a handful of the weights are table rows of which a text
touches a hundred: few multiplications, four hundred megabytes.

Source: Joulin et al. 2016, arXiv:1607.01759, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

_MULTIPLIER = 116_049_371  # of the hash in the authors' program


class FastText(nn.Module):
    """A bag of table rows and its class; row 0 is padding and does not count."""

    def __init__(self, rows: int, classes: int, dimensions: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, dimensions, padding_idx=0)
        self.classifier = nn.Linear(dimensions, classes, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the logits, `(batch, classes)`, of texts `(batch, rows)` as `text_rows` has them."""
        counted = (rows != 0)[..., None].float()
        mean = (self.table(rows) * counted).sum(1) / counted.sum(1).clamp(min=1)
        logits: Tensor = self.classifier(mean)
        return logits


def text_rows(words: Sequence[int], vocabulary: int, buckets: int, longest: int = 2) -> list[int]:
    """Return the rows of a text: those of its words, then those that its n-grams are hashed to.

    Row 0 is padding, rows 1 to `vocabulary` are the words', the rest the buckets'. An n-gram's hash
    is a polynomial in its words' numbers, modulo 2**64: the one of the program that came with the
    paper (later versions hash the words' spelling).

    Args:
        words: their numbers, in [0, vocabulary).
        vocabulary: number of words.
        buckets: number of rows for n-grams.
        longest: words in the longest n-gram.

    >>> text_rows([3, 5], vocabulary=10, buckets=1000)
    [4, 6, 129]
    """
    rows = [1 + word for word in words]
    for start, number in enumerate(words):
        for word in words[start + 1 : start + longest]:
            number = (number * _MULTIPLIER + word) % (1 << 64)
            rows.append(1 + vocabulary + number % buckets)
    return rows

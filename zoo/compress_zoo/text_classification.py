"""Classifiers of phrases, sentences and documents from before the transformer.

All but the RNTN's composition hold nearly all their weights in a table of words or n-grams, of
which a text touches a few rows; they differ in what they do with those.

Source: Socher et al. 2013; Kim 2014, arXiv:1408.5882; Joulin et al. 2016, arXiv:1607.01759; Yang
et al. 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, tokens

if TYPE_CHECKING:
    from torch import nn

_REVIEW_WORDS = 18_766  # of movie reviews (Kim, table 1), and padding
_NEWS_ROWS = 1 + 95_811 + 10_000_000  # padding, words of AG's news in the authors' program, bigrams
_YELP_WORDS = 211_246  # of Yelp 2013 (Yang et al., table 1), and padding


def rntn(num_classes: int, *, dimensions: int = 25) -> nn.Module:
    """Build the composition of two phrases; the paper found 25 to 35 numbers a phrase best."""
    from compress_zoo.networks.rntn import Composition

    return Composition(num_classes, dimensions)


def textcnn(
    num_classes: int,
    *,
    vocabulary: int = _REVIEW_WORDS,
    dimensions: int = 300,
    windows: tuple[int, ...] = (3, 4, 5),
    maps: int = 100,
) -> nn.Module:
    """Build the network with one channel of word vectors, for the paper's movie reviews."""
    from compress_zoo.networks.textcnn import TextCnn

    return TextCnn(
        vocabulary, num_classes, dimensions=dimensions, windows=windows, maps=maps, dropout=0.5
    )


def fasttext(num_classes: int, *, rows: int = _NEWS_ROWS, dimensions: int = 10) -> nn.Module:
    """Build the classifier of words and bigrams for AG's news; the paper gives bigrams 10M rows."""
    from compress_zoo.networks.fasttext import FastText

    return FastText(rows, num_classes, dimensions)


def han(
    num_classes: int,
    *,
    vocabulary: int = _YELP_WORDS,
    dimensions: int = 200,
    hidden: int = 50,
) -> nn.Module:
    """Build the network with the words and the classes of Yelp 2013, the paper's first data set.

    All of the data set's words have a row; the paper drops those that occur five times or less
    without saying how many remain.
    """
    from compress_zoo.networks.han import Han

    return Han(vocabulary, num_classes, dimensions=dimensions, hidden=hidden)


_PHRASES = (Input((25,), "left"), Input((25,), "right"))
_DOCUMENT = (Input((9, 17), "document", _YELP_WORDS),)  # sentences and words of an average review

# fmt: off
ENTRIES = (
    #     name        family                 source            inputs                                   params        MACs  task                  paper
    Entry("rntn",     "text-classification", Own(rntn, 5),     _PHRASES,                                63_905,     65_125, "sentiment",           "Socher 2013"),
    Entry("textcnn",  "text-classification", Own(textcnn, 2),  tokens(64, _REVIEW_WORDS, "words"),   5_990_702, 21_900_600, "sentiment",           "arXiv:1408.5882"),
    Entry("fasttext", "text-classification", Own(fasttext, 4), tokens(64, _NEWS_ROWS, "rows"),     100_958_160,         40, "text-classification", "arXiv:1607.01759"),
    Entry("han",      "text-classification", Own(han, 5),      _DOCUMENT,                           42_391_305, 13_516_700, "text-classification", "Yang 2016"),
)

"""Word and text vectors: networks that are nothing but tables.

A table has one row a word or text, and an input touches a handful: hundreds of megabytes for next
to no multiplications, so here a smaller file is all that compression can gain.

Source: Mikolov et al. 2013, arXiv:1301.3781; Pennington et al. 2014; Le & Mikolov 2014,
arXiv:1405.4053.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, tokens

if TYPE_CHECKING:
    from torch import nn

_WORDS = 82_000  # of the corpus on which arXiv:1301.3781, table 3, compares the architectures
_TEXTS = 239_232  # labelled phrases of the sentiment treebank, each a text of its own
_TREEBANK_WORDS = 17_837  # words of the treebank as Kim 2014 counts them, and one that pads


def word2vec_cbow(*, vocabulary: int = _WORDS, dimensions: int = 640) -> nn.Module:
    """Build CBOW at the sizes of table 3, the smallest at which both architectures are compared.

    The published vectors of three million words would be 900 million parameters a table.
    """
    from compress_zoo.networks.word2vec import Cbow

    return Cbow(vocabulary, dimensions)


def word2vec_skipgram(*, vocabulary: int = _WORDS, dimensions: int = 640) -> nn.Module:
    """Build skip-gram at the sizes of `word2vec_cbow`."""
    from compress_zoo.networks.word2vec import SkipGram

    return SkipGram(vocabulary, dimensions)


def glove(*, vocabulary: int = 400_000, dimensions: int = 300) -> nn.Module:
    """Build the model of the 400,000 most frequent words that is fitted to 6 billion tokens."""
    from compress_zoo.networks.glove import Glove

    return Glove(vocabulary, dimensions)


def doc2vec(
    *,
    texts: int = _TEXTS,
    vocabulary: int = _TREEBANK_WORDS,
    dimensions: int = 400,
    window: int = 7,
) -> nn.Module:
    """Build PV-DM as on the sentiment treebank: seven words and their text predict the eighth.

    The paper uses a hierarchical softmax; a softmax over all words has one more row.
    """
    from compress_zoo.networks.paragraph_vectors import DistributedMemory

    return DistributedMemory(texts, vocabulary, dimensions, window)


def doc2vec_dbow(
    *, texts: int = _TEXTS, vocabulary: int = _TREEBANK_WORDS, dimensions: int = 400
) -> nn.Module:
    """Build PV-DBOW, whose vectors the paper concatenates with those of PV-DM."""
    from compress_zoo.networks.paragraph_vectors import DistributedBagOfWords

    return DistributedBagOfWords(texts, vocabulary, dimensions)


_GLOVE_PAIR = (Input((), "word", 400_000), Input((), "context", 400_000))
_TEXT = (Input((), "text", _TEXTS), *tokens(7, _TREEBANK_WORDS, "words"))

# fmt: off
ENTRIES = (
    #     name                 family          source                  inputs                             params        MACs  task           paper
    Entry("word2vec-cbow",     "word-vectors", Own(word2vec_cbow),     tokens(8, _WORDS, "context"), 104_960_000, 52_480_000, "word-vectors", "arXiv:1301.3781"),
    Entry("word2vec-skipgram", "word-vectors", Own(word2vec_skipgram), (Input((), "word", _WORDS),), 104_960_000, 52_480_000, "word-vectors", "arXiv:1301.3781"),
    Entry("glove",             "word-vectors", Own(glove),             _GLOVE_PAIR,                  240_800_000,        300, "word-vectors", "Pennington 2014"),
    Entry("doc2vec",           "word-vectors", Own(doc2vec),           _TEXT,                        159_923_837, 57_078_400, "word-vectors", "arXiv:1405.4053"),
)

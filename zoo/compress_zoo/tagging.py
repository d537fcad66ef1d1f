"""Taggers: a class for every word of a sentence.

Source: Lample et al. 2016, arXiv:1603.01360.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, tokens

if TYPE_CHECKING:
    from torch import nn

_WORDS = 23_626  # of CoNLL-2003's English training set, one for all others, and padding
_CHARACTERS = 86  # those of the same, and padding


def bilstm_crf(
    num_classes: int,
    *,
    words: int = _WORDS,
    characters: int = _CHARACTERS,
    word_dimensions: int = 100,
    character_dimensions: int = 25,
    hidden: int = 100,
) -> nn.Module:
    """Build the LSTM-CRF at its English sizes; a class is a tag: four kinds of names, IOBES.

    The paper does not count its words and characters, so these are the data set's.
    """
    from compress_zoo.networks.bilstm_crf import BilstmCrf

    return BilstmCrf(
        words,
        characters,
        num_classes,
        word_dimensions=word_dimensions,
        character_dimensions=character_dimensions,
        hidden=hidden,
        dropout=0.5,
    )


_SENTENCE = (*tokens(20, _WORDS, "words"), Input((20, 16), "characters", _CHARACTERS))

# fmt: off
ENTRIES = (
    #     name          family     source               inputs        params       MACs  task      paper
    Entry("bilstm-crf", "tagging", Own(bilstm_crf, 17), _SENTENCE, 2_598_928, 7_634_000, "tagging", "arXiv:1603.01360"),
)

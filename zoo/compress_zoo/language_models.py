"""Recurrent language models that are trained once and then used for other tasks.

Source: Howard & Ruder 2018, arXiv:1801.06146; Peters et al. 2018, arXiv:1802.05365.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, tokens

if TYPE_CHECKING:
    from torch import nn

    from compress_zoo.networks.elmo import ElmoSizes

_WIKITEXT_WORDS = 238_462  # rows of the table that ULMFiT's authors published, WikiText-103


def awd_lstm(
    *,
    vocabulary: int = _WIKITEXT_WORDS,
    dimensions: int = 400,
    hidden: int = 1150,
    layers: int = 3,
) -> nn.Module:
    """Build ULMFiT's language model of WikiText-103, the table tied to the output layer."""
    from compress_zoo.networks.awd_lstm import AwdLstm

    return AwdLstm(vocabulary, dimensions=dimensions, hidden=hidden, layers=layers)


def elmo(*, sizes: ElmoSizes | None = None) -> nn.Module:
    """Build the original model; its softmax over 793,471 words is for training alone."""
    from compress_zoo.networks.elmo import Elmo, ElmoSizes

    return Elmo(sizes or ElmoSizes())


_WORDS = tokens(70, _WIKITEXT_WORDS, "words")  # 70 steps is what training looks back
_CHARACTERS = (Input((20, 50), "characters", 262),)  # 20 words of 50 characters

# fmt: off
ENTRIES = (
    #     name        family            source         inputs            params           MACs  task             paper
    Entry("awd-lstm", "language-model", Own(awd_lstm), _WORDS,      115_834_862, 8_090_236_000, "language-model", "arXiv:1801.06146"),
    Entry("elmo",     "language-model", Own(elmo),     _CHARACTERS,  93_600_868, 2_042_634_240, "text-encoder",   "arXiv:1802.05365"),
)

"""Recurrent translation without and with attention.

What is exported are the logits of each next word with all words before it given, as in training;
`translate` beside each network searches with them.

Source: Sutskever et al. 2014, arXiv:1409.3215; Wu et al. 2016, arXiv:1609.08144.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, tokens

if TYPE_CHECKING:
    from torch import nn


def seq2seq_lstm(
    *, source: int = 160_000, target: int = 80_000, hidden: int = 1000, layers: int = 4
) -> nn.Module:
    """Build one network of the paper's ensemble, English to French.

    The paper's LSTMs have one bias where torch's have two: 64,000 parameters more.
    """
    from compress_zoo.networks.seq2seq import Seq2Seq

    return Seq2Seq(source, target, hidden=hidden, layers=layers)


def gnmt(
    *, source: int = 32_000, target: int = 32_000, hidden: int = 1024, layers: int = 8
) -> nn.Module:
    """Build the network of 32,000 word pieces a language."""
    from compress_zoo.networks.gnmt import Gnmt

    return Gnmt(source, target, hidden=hidden, layers=layers)


_WORDS = (*tokens(20, 160_000, "source"), *tokens(20, 80_000, "target"))
_PIECES = (*tokens(20, 32_000, "source"), *tokens(20, 32_000, "target"))

# fmt: off
ENTRIES = (
    #     name            family     source             inputs        params           MACs  task          paper
    Entry("seq2seq-lstm", "seq2seq", Own(seq2seq_lstm), _WORDS,  384_144_000, 2_880_000_000, "translation", "arXiv:1409.3215"),
    Entry("gnmt",         "seq2seq", Own(gnmt),         _PIECES, 280_929_536, 4_304_814_080, "translation", "arXiv:1609.08144"),
)

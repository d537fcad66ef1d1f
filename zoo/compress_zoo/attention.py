"""Where attention began: translation by gated units without it, with it, and by products.

What is exported are the logits of each next word with all words before it given, as in training;
`translate` beside each network searches with them.

Source: Cho et al. 2014, arXiv:1406.1078; Bahdanau et al. 2014, arXiv:1409.0473; Luong et al. 2015,
arXiv:1508.04025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, tokens

if TYPE_CHECKING:
    from torch import nn

    from compress_zoo.networks.luong import Score


def rnn_encoder_decoder(
    *,
    source: int = 15_000,
    target: int = 15_000,
    dimensions: int = 100,
    hidden: int = 1000,
    maxout: int = 500,
) -> nn.Module:
    """Build the network that scores phrases, English to French.

    The paper's equations leave biases out; here each gate, candidate and layer has one.
    """
    from compress_zoo.networks.rnn_encoder_decoder import RnnEncoderDecoder

    return RnnEncoderDecoder(source, target, dimensions=dimensions, hidden=hidden, maxout=maxout)


def bahdanau(
    *,
    source: int = 30_000,
    target: int = 30_000,
    dimensions: int = 620,
    hidden: int = 1000,
    align: int = 1000,
    maxout: int = 500,
) -> nn.Module:
    """Build RNNsearch-50, English to French; biases as in the network before it."""
    from compress_zoo.networks.bahdanau import RnnSearch

    return RnnSearch(
        source, target, dimensions=dimensions, hidden=hidden, align=align, maxout=maxout
    )


def luong_global(
    *,
    source: int = 50_000,
    target: int = 50_000,
    hidden: int = 1000,
    layers: int = 4,
    score: Score = "dot",
) -> nn.Module:
    """Build the network of global attention, English to German, with its better score.

    torch's LSTMs have two biases where the paper's have one.
    """
    from compress_zoo.networks.luong import GlobalAttention, Luong

    attention = GlobalAttention(hidden, score)
    return Luong(source, target, hidden=hidden, layers=layers, attention=attention)


def luong_local(
    *,
    source: int = 50_000,
    target: int = 50_000,
    hidden: int = 1000,
    layers: int = 4,
    score: Score = "general",
    window: int = 10,
) -> nn.Module:
    """Build the network of predictive local attention (local-p), the paper's best."""
    from compress_zoo.networks.luong import LocalAttention, Luong

    attention = LocalAttention(hidden, score, window)
    return Luong(source, target, hidden=hidden, layers=layers, attention=attention)


_PHRASES = (*tokens(10, 15_000, "source"), *tokens(10, 15_000, "target"))
_SENTENCES = (*tokens(20, 30_000, "source"), *tokens(20, 30_000, "target"))
_LONG = (*tokens(50, 50_000, "source"), *tokens(20, 50_000, "target"))  # several windows

# fmt: off
ENTRIES = (
    #     name                   family     source                    inputs           params           MACs  task           paper
    Entry("rnn-encoder-decoder", "seq2seq", Own(rnn_encoder_decoder), _PHRASES,    18_274_000,    98_500_000, "translation", "arXiv:1406.1078"),
    Entry("bahdanau",            "seq2seq", Own(bahdanau),            _SENTENCES,  80_443_000,   846_200_000, "translation", "arXiv:1409.0473"),
    Entry("luong-global",        "seq2seq", Own(luong_global),        _LONG,      220_114_000, 3_362_000_000, "translation", "arXiv:1508.04025"),
    Entry("luong-local",         "seq2seq", Own(luong_local),         _LONG,      222_115_000, 3_432_020_000, "translation", "arXiv:1508.04025"),
)

"""Translation by convolutions.

Source: Gehring et al. 2017, arXiv:1705.03122.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Own, tokens

if TYPE_CHECKING:
    from torch import nn


def convs2s(
    *,
    source: int = 40_000,
    target: int = 40_000,
    dimensions: int = 512,
    hidden: int = 512,
    layers: int = 20,
    places: int = 1024,
    dropout: float = 0.2,
) -> nn.Module:
    """Build the network of WMT'16 English to Romanian, 20 layers a side.

    Where the paper leaves it open, the authors' code is followed: attention stands within the
    residual, and its context passes a matrix, as the words' embeddings do. The number of places is
    that code's.
    """
    from compress_zoo.networks.convs2s import ConvS2S

    return ConvS2S(
        source,
        target,
        dimensions=dimensions,
        hidden=hidden,
        layers=layers,
        places=places,
        dropout=dropout,
    )


_PIECES = (*tokens(20, 40_000, "source"), *tokens(20, 40_000, "target"))

# fmt: off
ENTRIES = (
    #     name       family     source        inputs       params           MACs  task           paper
    Entry("convs2s", "seq2seq", Own(convs2s), _PIECES, 137_040_960, 1_906_769_920, "translation", "arXiv:1705.03122"),
)

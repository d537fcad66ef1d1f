"""Transformers that are written here: the first one, a linear one, and one with a memory.

Source: Vaswani et al. 2017, arXiv:1706.03762; Katharopoulos et al. 2020, arXiv:2006.16236; Dai et
al. 2019, arXiv:1901.02860.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own, tokens

if TYPE_CHECKING:
    from torch import nn


def transformer_base(
    *,
    vocabulary: int = 37_000,
    width: int = 512,
    heads: int = 8,
    inner: int = 2048,
    layers: int = 6,
    dropout: float = 0.1,
) -> nn.Module:
    """Build the base network, English to German.

    The paper counts 65 million parameters and a shared vocabulary of about 37,000; with exactly
    that many pieces and no biases in attention, as its equations have none, they are 63 million.
    """
    from compress_zoo.networks.transformer import Transformer

    return Transformer(
        vocabulary, width=width, heads=heads, inner=inner, layers=layers, dropout=dropout
    )


def linear_transformer(
    *, width: int = 256, heads: int = 8, layers: int = 8, dropout: float = 0.1
) -> nn.Module:
    """Build the network that writes MNIST's images pixel by pixel.

    The paper does not say how places are told: here by sines, as in the first transformer.
    """
    from compress_zoo.networks.linear_transformer import LinearTransformer

    return LinearTransformer(width=width, heads=heads, layers=layers, dropout=dropout)


def transformer_xl(
    *,
    vocabulary: int = 204,
    width: int = 512,
    heads: int = 8,
    inner: int = 2048,
    layers: int = 12,
    dropout: float = 0.1,
) -> nn.Module:
    """Build the network of 12 layers for enwik8, 41 million parameters: the smallest of its three.

    There is a smaller one for Penn Treebank, whose sizes the paper does not give.
    """
    from compress_zoo.networks.transformer_xl import TransformerXl

    return TransformerXl(
        vocabulary, width=width, heads=heads, inner=inner, layers=layers, dropout=dropout
    )


_PIECES = (*tokens(32, 37_000, "source"), *tokens(32, 37_000, "target"))
_PIXELS = tokens(28 * 28, 256, "pixels")
_SEGMENT = (*tokens(128, 204, "bytes"), Input((12, 512, 512), "memory"))

# fmt: off
ENTRIES = (
    #     name                  family         source                   inputs        params            MACs  task              paper
    Entry("transformer-base",   "transformer", Own(transformer_base),   _PIECES,  63_045_632,  2_034_368_512, "translation",    "arXiv:1706.03762"),
    Entry("linear-transformer", "transformer", Own(linear_transformer), _PIXELS,   6_391_838,  4_991_508_480, "generation",     "arXiv:2006.16236"),
    Entry("transformer-xl",     "transformer", Own(transformer_xl),     _SEGMENT, 41_055_436, 11_589_648_384, "language-model", "arXiv:1901.02860"),
)

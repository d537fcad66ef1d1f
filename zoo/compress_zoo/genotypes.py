"""Cells that a search found, as data: what NASNet and AmoebaNet are, apart from their sizes.

A cell makes five hidden states from two: 0, the output of the cell before (h_i), and 1, the one
before that (h_i-1). Each new state is the sum of two operations on earlier states, and states 2
to 6 are numbered as they are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operation = Literal[
    "identity", "avg 3x3", "max 3x3", "sep 3x3", "sep 5x5", "sep 7x7", "1x7 then 7x1"
]
Edge = tuple[Operation, int]  # what is done, and the state that it is done to


@dataclass(frozen=True, slots=True)
class Wiring:
    """One cell."""

    pairs: tuple[tuple[Edge, Edge], ...]  #: the two operations whose sum is state 2, 3, …
    output: tuple[int, ...]  #: the states that are concatenated


@dataclass(frozen=True, slots=True)
class Genotype:
    """The two cells of a network."""

    normal: Wiring
    reduction: Wiring  #: operations on states 0 and 1 have stride 2


#: Source: Zoph et al. 2018, arXiv:1707.07012, Figure 4, with the order of the published code.
NASNET_A = Genotype(
    normal=Wiring(
        pairs=(
            (("sep 5x5", 0), ("sep 3x3", 1)),
            (("sep 5x5", 1), ("sep 3x3", 1)),
            (("avg 3x3", 0), ("identity", 1)),
            (("avg 3x3", 1), ("avg 3x3", 1)),
            (("sep 3x3", 0), ("identity", 0)),
        ),
        output=(1, 2, 3, 4, 5, 6),
    ),
    reduction=Wiring(
        pairs=(
            (("sep 5x5", 0), ("sep 7x7", 1)),
            (("max 3x3", 0), ("sep 7x7", 1)),
            (("avg 3x3", 0), ("sep 5x5", 1)),
            (("identity", 3), ("avg 3x3", 2)),
            (("sep 3x3", 2), ("max 3x3", 0)),
        ),
        output=(3, 4, 5, 6),
    ),
)

#: Source: Real et al. 2019, arXiv:1802.01548, Figure 5, with the outputs of the published code,
#: which also concatenates some states that are used within the cell.
AMOEBANET_A = Genotype(
    normal=Wiring(
        pairs=(
            (("avg 3x3", 0), ("max 3x3", 0)),
            (("sep 3x3", 1), ("identity", 1)),
            (("identity", 0), ("avg 3x3", 1)),
            (("sep 3x3", 0), ("sep 5x5", 2)),
            (("avg 3x3", 5), ("sep 3x3", 0)),
        ),
        output=(1, 3, 4, 6),
    ),
    reduction=Wiring(
        pairs=(
            (("sep 3x3", 1), ("avg 3x3", 0)),
            (("max 3x3", 0), ("sep 7x7", 2)),
            (("max 3x3", 1), ("max 3x3", 0)),
            (("sep 3x3", 4), ("1x7 then 7x1", 0)),
            (("avg 3x3", 1), ("sep 7x7", 0)),
        ),
        output=(2, 3, 4, 5, 6),
    ),
)

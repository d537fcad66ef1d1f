"""Hierarchical softmax: a word's probability as a path of binary decisions in a Huffman tree.

A softmax over V words costs V products; a tree has V - 1 inner nodes, of which a word needs only
those above it, and in Huffman's tree over the word counts frequent words sit near the root.

Source: Morin & Bengio 2005; Mikolov et al. 2013, arXiv:1310.4546, section 2.1.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.errors import ZooError


@dataclass(frozen=True, slots=True)
class Path:
    """The way from the root to a word."""

    nodes: tuple[int, ...]  #: inner nodes, the root first; the root has the largest number
    turns: tuple[int, ...]  #: 0 or 1 at each: the word's Huffman code


def huffman_paths(counts: Sequence[int]) -> tuple[Path, ...]:
    """Return each word's path in Huffman's tree over the words' counts.

    Raises:
        ZooError: when there are less than two words.

    >>> [path.turns for path in huffman_paths([5, 2, 1])]
    [(1,), (0, 1), (0, 0)]
    """
    if len(counts) < 2:
        raise ZooError(f"counts must be of at least two words, got {len(counts)}")
    parents: dict[int, tuple[int, int]] = {}  # child: its parent and the turn that leads to it
    heap = [(count, word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    for parent in range(len(counts), 2 * len(counts) - 1):  # inner nodes follow the words
        (left_count, left), (right_count, right) = heapq.heappop(heap), heapq.heappop(heap)
        parents[left], parents[right] = (parent, 0), (parent, 1)
        heapq.heappush(heap, (left_count + right_count, parent))
    return tuple(_path(word, parents, len(counts)) for word in range(len(counts)))


class HierarchicalSoftmax(nn.Module):
    """The output layer that takes the place of a softmax: one vector an inner node."""

    nodes: Tensor
    signs: Tensor

    def __init__(self, counts: Sequence[int], dimensions: int) -> None:
        super().__init__()
        self.inner = nn.Embedding(len(counts) - 1, dimensions)
        paths = huffman_paths(counts)
        deepest = max(len(path.nodes) for path in paths)
        nodes = torch.zeros(len(counts), deepest, dtype=torch.long)
        signs = torch.zeros(len(counts), deepest)  # +1 or -1 at a turn; 0 behind the path's end
        for word, path in enumerate(paths):
            nodes[word, : len(path.nodes)] = torch.tensor(path.nodes)
            signs[word, : len(path.turns)] = 1 - 2 * torch.tensor(path.turns, dtype=torch.float)
        self.register_buffer("nodes", nodes)
        self.register_buffer("signs", signs)

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """Return each word's log-probability, `(batch,)`, given hidden vectors `(batch, dimensions)`."""
        signs = self.signs[words]  # (batch, depth)
        scores = (self.inner(self.nodes[words]) @ hidden[..., None]).squeeze(-1)
        return (functional.logsigmoid(signs * scores) * signs.abs()).sum(1)


def _path(word: int, parents: dict[int, tuple[int, int]], n_words: int) -> Path:
    nodes, turns, child = [], [], word
    while child in parents:
        child, turn = parents[child]
        nodes.append(child - n_words)
        turns.append(turn)
    return Path(tuple(reversed(nodes)), tuple(reversed(turns)))

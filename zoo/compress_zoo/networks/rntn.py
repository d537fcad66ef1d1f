"""Recursive neural tensor network: the sentiment of every phrase of a sentence's parse tree.

A phrase's vector is composed of its two children's. Socher et al. add to the usual linear layer a
tensor, one bilinear form for each number of the result, so that the children multiply: "not" can
turn its neighbour. The tensor holds nearly all weights of the composition, and is small.

The composition is one graph and is exported; the recursion follows each sentence's own tree and
stays in Python (`sentiment`).

Source: Socher et al. 2013, "Recursive deep models for semantic compositionality over a sentiment
treebank", section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Tree:
    """A phrase: a word or two phrases, and its sentiment."""

    label: int
    word: int | None = None  #: its number; None where there are children
    children: tuple[Tree, Tree] | None = None


class Composition(nn.Module):
    """The tensor layer and the classifier of its result."""

    def __init__(self, classes: int, dimensions: int) -> None:
        super().__init__()
        # V, all its slices one below the other: as a linear layer it counts, exports and runs well
        self.tensor = nn.Linear(2 * dimensions, 2 * dimensions * dimensions, bias=False)
        self.linear = nn.Linear(2 * dimensions, dimensions)  # W
        self.classifier = nn.Linear(dimensions, classes)  # W_s

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Return the phrases' vectors, `(batch, dimensions)`, and their logits.

        Args:
            left: vectors of the left children, `(batch, dimensions)`.
            right: those of the right ones.
        """
        children = torch.cat([left, right], 1)
        both = children.shape[1]  # 2 * dimensions
        slices = self.tensor(children).view(-1, both // 2, both)
        phrase = torch.tanh((slices @ children[..., None]).squeeze(2) + self.linear(children))
        return phrase, self.classifier(phrase)


class Rntn(nn.Module):
    """The whole network: a table of words beside the composition."""

    def __init__(self, vocabulary: int, classes: int, dimensions: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, dimensions)
        self.composition = Composition(classes, dimensions)
        nn.init.uniform_(self.words.weight, -1e-4, 1e-4)

    def sentiment(self, tree: Tree) -> list[tuple[Tree, Tensor]]:
        """Return every phrase of a tree with its logits, `(classes,)`; the tree itself is last."""
        phrases: list[tuple[Tree, Tensor]] = []
        self._visit(tree, phrases)
        return phrases

    def _visit(self, tree: Tree, phrases: list[tuple[Tree, Tensor]]) -> Tensor:
        """Return a phrase's vector, `(1, dimensions)`; list it behind those within it."""
        vector: Tensor
        if tree.children is None:
            vector = self.words.weight[tree.word][None]
            logits = self.composition.classifier(vector)
        else:
            left, right = (self._visit(child, phrases) for child in tree.children)
            vector, logits = self.composition(left, right)
        phrases.append((tree, logits[0]))
        return vector


def tree_loss(network: Rntn, tree: Tree) -> Tensor:
    """Return the cross-entropy of all phrases of a tree, summed (equation 2 without its norm)."""
    phrases = network.sentiment(tree)
    labels = torch.tensor([phrase.label for phrase, _ in phrases])
    return functional.cross_entropy(
        torch.stack([logits for _, logits in phrases]), labels, reduction="sum"
    )

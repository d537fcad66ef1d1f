"""A classifier of texts on top of a bare encoder: the mean of its tokens, and one linear layer.

Source: Reimers and Gurevych 2019, arXiv:1908.10084, sec. 3 (the mean over tokens);
Devlin et al. 2018, arXiv:1810.04805, sec. 4 (dropout and one layer for the classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

_DROPOUT = 0.1  # where the encoder's configuration names none


class Classifier(nn.Module):
    """An encoder, whose weights keep their names behind `encoder.`, and a head."""

    def __init__(self, encoder: Any, classes: int, names: Sequence[str]) -> None:  # noqa: ANN401
        """Put a head on a network of transformers.

        Args:
            encoder: returns hidden states `(batch, tokens, width)` first.
            classes: scores to give.
            names: of the encoder's inputs, in the order in which they are given here.
        """
        super().__init__()
        self.encoder, self.names = encoder, tuple(names)
        dropout = getattr(encoder.config, "hidden_dropout_prob", None)
        self.dropout = nn.Dropout(_DROPOUT if dropout is None else dropout)
        self.classifier = nn.Linear(encoder.config.hidden_size, classes)

    def forward(
        self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None
    ) -> Tensor:
        """Return a score for each class, shape `(batch, classes)`."""
        given = [held for held in (first, second, third) if held is not None]
        inputs = dict(zip(self.names, given, strict=True))
        states = self.encoder(**inputs)[0]
        return self.classifier(self.dropout(pooled(states, inputs.get("attention_mask"))))  # type: ignore[no-any-return]  # torch's Any


class ByName(nn.Module):
    """A network that takes its inputs in another order than they are given, so by their names."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        """Hold a network, whose weights keep their names behind `network.`."""
        super().__init__()
        self.network, self.names = network, tuple(names)

    def forward(
        self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None
    ) -> Any:  # noqa: ANN401  (the network's own)
        """Return what the network returns."""
        given = [held for held in (first, second, third) if held is not None]
        return self.network(**dict(zip(self.names, given, strict=True)))


def pooled(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of the tokens that a mask leaves, shape `(batch, width)`; 0 for none.

    Args:
        states: shape `(batch, tokens, width)`.
        mask: 1 for a token and 0 for padding, shape `(batch, tokens)`; None for no padding.
    """
    if mask is None:
        return states.mean(1)
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)

"""What is put around a network of texts: a head for classes, a call by names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from compress.errors import UnsupportedLayerError
from compress.tasks.outputs import first_of

_DROPOUT = 0.1
_MASK = "attention_mask"


class ByName(nn.Module):
    """A network that is called by its inputs' names, whatever their order in its signature."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)
        self.config = getattr(model, "config", None)

    def forward(self, *inputs: Tensor) -> Any:  # noqa: ANN401  (the network's own)
        """Return what the network returns."""
        return self.model(**dict(zip(self.names, inputs, strict=True)))


class Classifier(nn.Module):
    """An encoder whose hidden states, padding left out, are averaged for a linear layer.

    Source: Reimers and Gurevych 2019, arXiv:1908.10084, sec. 3 (the mean of all tokens).
    """

    def __init__(self, encoder: nn.Module, names: Sequence[str], classes: int) -> None:
        """Put a head on an encoder.

        Args:
            encoder: gives hidden states `(n, tokens, width)` first.
            names: of its inputs, in the order of its arguments.
            classes: number of scores.
        """
        super().__init__()
        self.encoder = encoder
        self._mask = names.index(_MASK) if _MASK in names else None
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(_width(encoder), classes)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return scores, shape `(n, classes)`."""
        states: Tensor = first_of(self.encoder(*inputs))
        if self._mask is None:
            pooled = states.mean(1)
        else:
            mask = inputs[self._mask].unsqueeze(2).to(states.dtype)
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        scores: Tensor = self.head(self.dropout(pooled))
        return scores


def _width(encoder: nn.Module) -> int:
    """Return the width of an encoder's states, as its configuration tells it."""
    config = getattr(encoder, "config", None)
    for name in ("hidden_size", "d_model", "dim", "emb_dim", "n_embd"):
        width = getattr(config, name, None)
        if isinstance(width, int):
            return width
    raise UnsupportedLayerError(
        f"the width of {type(encoder).__name__} is not known, so it gets no head for classes"
    )

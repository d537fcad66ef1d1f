"""AWD-LSTM: the language model that ULMFiT fine-tunes.

A plain three-layer LSTM is state of the art once everything in it is regularized: whole words are
dropped from the table, recurrent weights from their matrices (DropConnect, the name's "weight
drop"), and each mask is drawn once a sequence, not once a step. The output layer is the word table
again, so its weights count once; with a large vocabulary it still has four fifths of them.

Source: Merity et al. 2017, arXiv:1708.02182, sections 2 and 4; Howard & Ruder 2018,
arXiv:1801.06146, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropouts:
    """Probabilities to drop; the defaults are ULMFiT's, section 4.1."""

    words: float = 0.05  #: rows of the word table
    inputs: float = 0.4  #: of the first layer
    hidden: float = 0.3  #: between layers
    weights: float = 0.5  #: recurrent weights
    outputs: float = 0.4  #: of the last layer


class AwdLstm(nn.Module):
    """The next word's logits at every step; layers are `hidden` wide but the last."""

    def __init__(
        self,
        vocabulary: int,
        *,
        dimensions: int,
        hidden: int,
        layers: int,
        dropouts: Dropouts | None = None,
    ) -> None:
        super().__init__()
        self.dropouts = dropouts or Dropouts()
        self.words = nn.Embedding(vocabulary, dimensions)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        widths = [dimensions, *[hidden] * (layers - 1), dimensions]
        self.layers = nn.ModuleList(
            nn.LSTM(inputs, outputs, batch_first=True) for inputs, outputs in pairwise(widths)
        )
        self.decoder = nn.Linear(dimensions, vocabulary)
        self.decoder.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        """Return the logits, `(batch, time, vocabulary)`, of words `(batch, time)`."""
        drop, training = self.dropouts, self.training
        table = drop_rows(self.words.weight, drop.words, training=training)
        outputs = drop_locked(functional.embedding(words, table), drop.inputs, training=training)
        for number, layer in enumerate(self.layers, 1):
            assert isinstance(layer, nn.LSTM)
            outputs = run_weight_dropped(layer, outputs, drop.weights)
            probability = drop.hidden if number < len(self.layers) else drop.outputs
            outputs = drop_locked(outputs, probability, training=training)
        logits: Tensor = self.decoder(outputs)
        return logits


def run_weight_dropped(layer: nn.LSTM, inputs: Tensor, probability: float) -> Tensor:
    """Return a layer's outputs with, in training, a part of its recurrent weights at zero."""
    outputs: Tensor
    if not layer.training or probability == 0:
        outputs, _ = layer(inputs)
    else:
        recurrent = layer.get_parameter("weight_hh_l0")
        kept = {"weight_hh_l0": functional.dropout(recurrent, probability)}
        outputs, _ = functional_call(layer, kept, (inputs,))
    return outputs


def drop_rows(table: Tensor, probability: float, *, training: bool) -> Tensor:
    """Return a word table without some of its words (section 4.3 of Merity et al.)."""
    if not training:
        return table
    return table * functional.dropout(torch.ones_like(table[:, :1]), probability)


def drop_locked(inputs: Tensor, probability: float, *, training: bool) -> Tensor:
    """Return `(batch, time, features)` with features dropped for all time (section 4.2)."""
    if not training:
        return inputs
    return inputs * functional.dropout(torch.ones_like(inputs[:, :1]), probability)

"""Longformer's sliding windows without its global attention, which depends on the data.

Each token attends to 256 neighbours a side, so that costs grow with the length of a text and not
with its square. The library asks the mask whether any token is to attend to all: a question to the
data, that no exported graph can ask. A bare network's mask says 0 or 1, so the answer is no.

Source: Beltagy et al. 2020, arXiv:2004.05150, sections 3.1 and 5.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def without_global_attention(model: Any) -> nn.Module:  # noqa: ANN401  (transformers' own)
    """Return a `LongformerModel` whose tokens attend to their windows only; names stay."""
    model.encoder = _LocalEncoder(model.encoder.layer)
    bare: nn.Module = model
    return bare


class _LocalEncoder(nn.Module):
    """The library's layers in their order."""

    def __init__(self, layer: nn.ModuleList) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: Tensor, attention_mask: Tensor, padding_len: int, **_: object) -> Any:  # noqa: ANN401
        """Return hidden states, `(batch, time, dimensions)`, as the library's encoder does.

        Args:
            hidden: embeddings, padded to whole windows.
            attention_mask: of tokens, `(batch, time)`; negative where there is padding.
            padding_len: tokens to cut off behind.
        """
        from transformers.models.longformer.modeling_longformer import LongformerBaseModelOutput

        for layer in self.layer:
            hidden, *_none = layer(
                hidden,
                attention_mask=attention_mask,
                is_index_masked=attention_mask < 0,
                is_index_global_attn=attention_mask > 0,
                is_global_attn=False,
            )
        return LongformerBaseModelOutput(hidden[:, : hidden.shape[1] - padding_len])

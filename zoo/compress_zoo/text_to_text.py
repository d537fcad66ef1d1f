"""T5 and BART: an encoder reads a text, a decoder writes another.

A decoder's layers have a second attention, of 4 more matrices, to what was read. One table of
words serves both sides and the output layer: a quarter of the weights.

Source: Raffel et al. 2019, arXiv:1910.10683; Lewis et al. 2019, arXiv:1910.13461. The networks are
transformers'.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Input, Transformers, tokens


def _texts(vocabulary: int) -> tuple[Input, ...]:
    """Return what is read, its mask (each token at random) and what is written so far."""
    return (
        *tokens(128, vocabulary),
        *tokens(128, 2, "attention_mask"),
        *tokens(128, vocabulary, "decoder_input_ids"),
    )


_BART = {
    "d_model": 768, "encoder_layers": 6, "decoder_layers": 6,
    "encoder_attention_heads": 12, "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072,
}  # fmt: skip

# fmt: off
ENTRIES = (
    #     name         family          source                                                   inputs             params             MACs  task              paper
    Entry("t5-small",  "text-to-text", Transformers("google-t5/t5-small", "T5Config"),          _texts(32_128),  60_506_624,  5_939_134_464, "translation",    "arXiv:1910.10683"),
    Entry("bart-base", "text-to-text", Transformers("facebook/bart-base", "BartConfig", _BART), _texts(50_265), 139_420_416, 13_136_560_128, "language-model", "arXiv:1910.13461"),
)

import math

import pytest
import torch
from compress_zoo.networks.transformer import (
    Attention,
    DecoderLayer,
    EncoderLayer,
    Transformer,
    sinusoids,
)
from compress_zoo.transformer import transformer_base
from torch import nn


def small() -> Transformer:
    torch.manual_seed(0)
    model = transformer_base(vocabulary=7, width=8, heads=2, inner=16, layers=2, dropout=0.0)
    assert isinstance(model, Transformer)
    return model.eval()


def test_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        model = transformer_base()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(65e6, rel=0.035)


def test_sines_and_cosines() -> None:
    places = sinusoids(torch.arange(9), 8)
    for place, pair in ((0, 0), (3, 1), (8, 3)):
        angle = place / 10_000 ** (2 * pair / 8)
        expected = torch.tensor([math.sin(angle), math.cos(angle)])
        torch.testing.assert_close(places[place, 2 * pair : 2 * pair + 2], expected)


def copy_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        matrices = [ours.query.weight, ours.key.weight, ours.value.weight]
        theirs.in_proj_weight.copy_(torch.cat(matrices))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.in_proj_bias.zero_()
        theirs.out_proj.bias.zero_()


def test_encoder_layer_is_torchs() -> None:
    torch.manual_seed(0)
    ours, x = EncoderLayer(8, 2, 16, 0.0), torch.randn(2, 3, 8)
    theirs = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
    copy_attention(ours.attention, theirs.self_attn)
    theirs.linear1, theirs.linear2 = ours.forward_layers[0], ours.forward_layers[2]
    words = torch.tensor([[True, True, True], [True, True, False]])
    expected = theirs(x, src_key_padding_mask=~words)
    torch.testing.assert_close(ours(x, words[:, None, None]), expected)


def test_decoder_layer_is_torchs() -> None:
    torch.manual_seed(0)
    ours, x, source = DecoderLayer(8, 2, 16, 0.0), torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    theirs = nn.TransformerDecoderLayer(8, 2, 16, 0.0, batch_first=True)
    copy_attention(ours.attention, theirs.self_attn)
    copy_attention(ours.source_attention, theirs.multihead_attn)
    theirs.linear1, theirs.linear2 = ours.forward_layers[0], ours.forward_layers[2]
    earlier = torch.ones(3, 3, dtype=torch.bool).tril()
    expected = theirs(x, source, tgt_mask=~earlier)
    torch.testing.assert_close(ours(x, earlier, source, torch.ones(1, dtype=torch.bool)), expected)


def test_one_table_of_words() -> None:
    model = small()
    assert model.softmax.weight is model.words.weight

import pytest
import torch
from compress_zoo.networks.gnmt import Gnmt
from compress_zoo.seq2seq import gnmt

from tests.zoo.networks.sentences import SOURCE


def small() -> Gnmt:
    torch.manual_seed(0)
    return Gnmt(7, 7, hidden=4, layers=4)


def test_parameters() -> None:
    with torch.device("meta"):
        model = gnmt()
    # 278 million by Shazeer et al. 2017, arXiv:1701.06538, table 2; ours have torch's second biases
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(278e6, rel=0.015)
    assert len(model.encoder.upper) == len(model.decoder.upper) == 7


def test_attention_is_a_weighted_mean() -> None:
    torch.manual_seed(0)
    attention = small().decoder.attention
    values = torch.randn(3, 2, 4)
    padding = torch.zeros(3, 2, 1, dtype=torch.bool)
    padding[1:, 0] = True
    context = attention(torch.randn(2, 4), (values, attention.key(values), padding))
    torch.testing.assert_close(context[0], values[0, 0])  # the rest is padding
    assert (context[1] <= values[:, 1].amax(0)).all()
    assert (context[1] >= values[:, 1].amin(0)).all()


def test_residual_connections_begin_with_the_third_layer() -> None:
    model = small()
    for layer in model.encoder.upper[1:]:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)  # such a layer says 0
    outputs = model.encoder(SOURCE)
    words = model.encoder.words(SOURCE)
    second, _ = model.encoder.upper[0](model.encoder.first(words, torch.tensor([3, 3])))
    torch.testing.assert_close(outputs, second)

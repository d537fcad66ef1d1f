import pytest
import torch
from compress_zoo.convs2s import convs2s
from compress_zoo.networks.convs2s import ConvS2S, with_weight_norm
from torch.nn.utils import parametrize

from tests.zoo.networks.sentences import SOURCE, TARGET


def small() -> ConvS2S:
    torch.manual_seed(0)
    model = convs2s(source=7, target=7, dimensions=8, hidden=8, layers=2, dropout=0.0)
    assert isinstance(model, ConvS2S)
    return model.eval()


def test_layers_of_the_paper() -> None:
    with torch.device("meta"):
        model = convs2s()
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv1d)]
    assert len(convs) == 40
    assert {conv.weight.shape for conv in convs} == {(1024, 512, 3)}


def test_the_variance_stays() -> None:
    torch.manual_seed(0)
    model = convs2s(source=90, target=90, dimensions=64, hidden=64, layers=20, dropout=0.0)
    embedded = model.encoder.embedding(torch.randint(1, 90, (4, 30)))
    first = x = model.encoder.input(embedded).transpose(1, 2)
    for layer in model.encoder.layers:
        x = (layer(x) + x) * 0.5**0.5
    assert (x.var() / first.var()).item() == pytest.approx(1, abs=0.6)


def test_weight_norm_is_another_way_to_write_the_weights() -> None:
    model = small()
    before = model(SOURCE, TARGET)
    with_weight_norm(model)
    torch.testing.assert_close(model(SOURCE, TARGET), before)
    parametrized = [m for m in model.modules() if parametrize.is_parametrized(m)]
    assert len(parametrized) == 4 + 4 + 2 * 2 + 1  # convolutions, ends, attention, softmax
    for module in parametrized:
        parametrize.remove_parametrizations(module, "weight")
    torch.testing.assert_close(model(SOURCE, TARGET), before)

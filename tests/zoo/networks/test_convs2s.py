import pytest
import torch
from torch.nn import functional
from torch.nn.utils import parametrize

from tests.zoo.networks.learning import END, SOURCE, START, TARGET, learn
from zoo.convs2s import convs2s
from zoo.networks.convs2s import ConvS2S, translate, with_weight_norm


def small(hidden: int = 8) -> ConvS2S:
    torch.manual_seed(0)
    model = convs2s(source=7, target=7, dimensions=hidden, hidden=hidden, layers=2, dropout=0.0)
    assert isinstance(model, ConvS2S)
    return model.eval()


def test_layers_of_the_paper() -> None:
    with torch.device("meta"):
        model = convs2s()
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv1d)]
    assert len(convs) == 40
    assert {conv.weight.shape for conv in convs} == {(1024, 512, 3)}


def test_padding_of_the_source_changes_nothing() -> None:
    model = small()
    padded = functional.pad(SOURCE, (0, 2))
    torch.testing.assert_close(model(padded, TARGET), model(SOURCE, TARGET))


def test_no_word_sees_a_later_one() -> None:
    model, changed = small(), TARGET.clone()
    changed[:, 3] = 6
    left, right = model(SOURCE, TARGET), model(SOURCE, changed)
    torch.testing.assert_close(left[:, :3], right[:, :3])
    assert not torch.allclose(left[:, 3:], right[:, 3:])


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


def test_a_translation_is_learned() -> None:
    model = small(hidden=32)
    learn(model)
    for source, target in zip(SOURCE, TARGET, strict=True):
        for beam in (1, 3):
            found = translate(model, source, start=START, end=END, longest=8, beam=beam)
            assert found == target[1:-1].tolist()

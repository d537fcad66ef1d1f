import pytest
import torch
from compress_zoo.language_models import elmo
from compress_zoo.networks.elmo import (
    CHARACTERS,
    Elmo,
    ElmoSizes,
    ProjectedLstm,
    language_model_loss,
    spell,
)
from torch import nn

SIZES = ElmoSizes(character_dimensions=4, filters=((1, 4), (2, 4)), dimensions=6, cells=8)
SENTENCE = torch.tensor([[spell(word, 8) for word in ("a", "small", "net")]])


def network() -> Elmo:
    torch.manual_seed(0)
    return Elmo(SIZES).eval()


def test_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = elmo()
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1e6, 1) == 93.6


def test_spelling_is_cut_and_padded() -> None:
    assert spell("é", 6) == [259, 0xC3 + 1, 0xA9 + 1, 260, 261, 261]
    assert spell("abcdef", 4) == [259, 98, 99, 260]
    assert max(spell("x")) == CHARACTERS - 1


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_recurrence_without_clipping_is_torchs() -> None:
    torch.manual_seed(0)
    layer = ProjectedLstm(SIZES)
    reference = nn.LSTM(6, 8, batch_first=True, proj_size=6)
    with torch.no_grad():
        reference.weight_ih_l0.copy_(layer.inputs.weight)
        reference.weight_hh_l0.copy_(layer.recurrent.weight)
        reference.weight_hr_l0.copy_(layer.projection.weight)
        reference.bias_hh_l0.copy_(layer.recurrent.bias)
        reference.bias_ih_l0.zero_()
    inputs = torch.randn(2, 5, 6)
    torch.testing.assert_close(layer(inputs), reference(inputs)[0])


def test_outputs_are_clipped() -> None:
    layer = ProjectedLstm(SIZES)
    nn.init.constant_(layer.projection.weight, 100.0)
    assert layer(torch.randn(2, 5, 6)).abs().max() == SIZES.clip


def test_padding_changes_nothing() -> None:
    padded = torch.cat([SENTENCE, torch.zeros(1, 2, 8, dtype=torch.long)], 1)
    torch.testing.assert_close(network()(padded)[:, :3], network()(SENTENCE))


def test_each_direction_sees_its_side() -> None:
    changed = SENTENCE.clone()
    changed[0, 2] = torch.tensor(spell("nut", 8))
    before, after = network().layers(SENTENCE)[2], network().layers(changed)[2]
    ahead, back = (before - after).abs().sum(2)[0], (before - after)[0, :, 6:].abs().sum(1)
    assert torch.equal(before[0, :2, :6], after[0, :2, :6])
    assert (back > 0).all()
    assert (ahead > 0).all()


def test_mix_begins_as_the_mean() -> None:
    layers = network().layers(SENTENCE)
    torch.testing.assert_close(network()(SENTENCE), torch.stack(layers).mean(0))


def test_both_directions_are_trained() -> None:
    model, softmax = network(), nn.Linear(6, 4)
    optimizer = torch.optim.Adam([*model.parameters(), *softmax.parameters()], 0.02)
    words = torch.tensor([[1, 2, 3]])
    losses = []
    for _ in range(30):
        loss = language_model_loss(model, softmax, SENTENCE, words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(torch.log(torch.tensor(4.0)).item(), rel=0.5)
    assert losses[-1] < losses[0] / 2
    assert all(
        p.grad is not None for layer in (*model.ahead, *model.back) for p in layer.parameters()
    )

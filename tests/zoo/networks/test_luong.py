import pytest
import torch
from compress_zoo.attention import luong_global
from compress_zoo.networks.luong import GlobalAttention, LocalAttention, Luong, Score

from tests.zoo.networks.sentences import SOURCE


def small() -> Luong:
    torch.manual_seed(0)
    model = luong_global(source=7, target=7, hidden=4, layers=2)
    assert isinstance(model, Luong)
    return model


@pytest.mark.parametrize("score", ["dot", "general"])
def test_global_attention_is_a_softmax_of_products(score: Score) -> None:
    torch.manual_seed(0)
    attention, values, state = GlobalAttention(4, score), torch.randn(3, 2, 4), torch.randn(2, 4)
    matrix = torch.eye(4) if score == "dot" else attention.key.weight
    scores = torch.stack([(state * (h @ matrix.T)).sum(1) for h in values])
    expected = (scores.softmax(0)[..., None] * values).sum(0)
    torch.testing.assert_close(attention(state, (values, attention.key(values))), expected)


def test_local_attention_sees_its_window_through_a_gaussian() -> None:
    torch.manual_seed(0)
    attention, values, state = LocalAttention(4, "dot", 2), torch.randn(9, 1, 4), torch.randn(1, 4)
    place = 9 * torch.sigmoid(attention.place[2](torch.tanh(attention.place[0](state)))).item()
    inside = [s for s in range(9) if abs(s - place) <= 2]
    align = torch.stack([values[s, 0] @ state[0] for s in inside]).softmax(0)
    gauss = torch.tensor([torch.tensor(-((s - place) ** 2) / 2).exp() for s in inside])
    expected = ((align * gauss)[:, None] * values[inside, 0]).sum(0)
    torch.testing.assert_close(attention(state, (values, values))[0], expected)
    values[[s for s in range(9) if s not in inside]] += 1
    torch.testing.assert_close(attention(state, (values, values))[0], expected)


def test_memory_is_in_the_order_of_the_words() -> None:
    model = small()
    (values, _), (outputs, _), _ = model.encode(SOURCE)
    torch.testing.assert_close(values[0], outputs[-1])  # the first word is read last

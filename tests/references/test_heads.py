"""Heads on encoders of texts: the mean of what is no padding."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from compress.references import heads
from compress.references.subject import Given
from tests import needs

needs.module("torch")

import torch  # noqa: E402  (where it is not installed, the file is skipped before)
from torch import Tensor, nn  # noqa: E402  (as above)

from compress.references.head import ByName, Classifier, pooled  # noqa: E402  (as above)


class Encoder(nn.Module):
    """Vectors of words, in the place of an encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 4)
        self.config = SimpleNamespace(hidden_size=4)

    def forward(self, attention_mask: Tensor, input_ids: Tensor) -> tuple[Tensor]:
        assert attention_mask.max() <= 1
        return (self.words(input_ids),)


def test_padding_does_not_count() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
    assert pooled(states, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 4.0]]
    assert pooled(states, torch.tensor([[0, 0, 0]])).tolist() == [[0.0, 0.0]]
    assert pooled(states, None).tolist() == states.mean(1).tolist()


def test_a_classifier_calls_by_name_and_keeps_the_encoders_weights() -> None:
    model = Classifier(Encoder(), 3, ["input_ids", "attention_mask"]).eval()
    assert [*model.state_dict()] == [
        "encoder.words.weight", "classifier.weight", "classifier.bias",
    ]  # fmt: skip
    words, mask = torch.tensor([[1, 2, 0]]), torch.tensor([[1, 1, 0]])
    scores = model(words, mask)
    assert scores.shape == (1, 3)
    other = model(torch.tensor([[1, 2, 8]]), mask)
    assert torch.equal(scores, other)


def test_inputs_by_name() -> None:
    network = Encoder()
    found = ByName(network, ["input_ids", "attention_mask"])(torch.tensor([[7]]), torch.ones(1, 1))
    assert torch.equal(found[0][0, 0], network.words.weight[7])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["input_ids"], True),
        (["input_ids", "attention_mask", "token_type_ids"], True),
        (["input_ids", "decoder_input_ids"], False),
        (["attention_mask"], False),
    ],
)
def test_what_takes_texts(names: list[str], expected: bool) -> None:
    assert heads.are_texts([Given(name, (4,)) for name in names]) == expected

import math

import pytest
import torch
from compress_zoo.networks.glove import Glove, count_weights, glove_loss, vectors


def test_weights_of_counts() -> None:
    found = count_weights(torch.tensor([1.0, 100.0, 5000.0]))
    torch.testing.assert_close(found, torch.tensor([100**-0.75, 1.0, 1.0]))


def test_loss_by_hand() -> None:
    loss = glove_loss(torch.tensor([0.0, 5.0]), torch.tensor([math.e, 200.0]))
    expected = ((math.e / 100) ** 0.75 + (5 - math.log(200)) ** 2) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_model_by_hand_and_the_vectors_that_are_shipped() -> None:
    model = Glove(4, 3)
    word, context = torch.tensor([1, 2]), torch.tensor([3, 3])
    expected = [
        model.words.weight[i] @ model.contexts.weight[j]
        + model.word_biases.weight[i, 0]
        + model.context_biases.weight[j, 0]
        for i, j in [(1, 3), (2, 3)]
    ]
    torch.testing.assert_close(model(word, context), torch.stack(expected))
    both = vectors(model)(word)
    torch.testing.assert_close(both, model.words(word) + model.contexts(word))


def test_counts_are_fitted() -> None:
    torch.manual_seed(0)
    model, counts = Glove(4, 4), torch.randint(1, 200, (4, 4)).float()
    word, context = (
        index.flatten() for index in torch.meshgrid([torch.arange(4)] * 2, indexing="ij")
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(200):
        loss = glove_loss(model(word, context), counts[word, context])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3

import math

import pytest
import torch
from compress_zoo.networks.word2vec import (
    Cbow,
    SkipGram,
    keep_probability,
    negative_sampling_loss,
    noise_distribution,
)


def test_cbow_scores_the_mean_of_its_context() -> None:
    network = Cbow(5, 3)
    table, output = network.projection.weight, network.output.weight
    scores = network(torch.tensor([[1, 4]]))
    torch.testing.assert_close(scores[0], output @ (table[1] + table[4]) / 2)


def test_loss_by_hand() -> None:
    network = SkipGram(4, 2)
    with torch.no_grad():
        network.projection.weight[0] = torch.tensor([1.0, 2.0])
        network.output.weight[1] = torch.tensor([1.0, 0.0])  # a score of 1
        network.output.weight[2] = torch.tensor([0.0, 1.0])  # a score of 2
        network.output.weight[3] = torch.tensor([1.0, 1.0])  # a score of 3
    hidden = network.hidden(torch.tensor([0]))
    loss = negative_sampling_loss(hidden, network.output, torch.tensor([1]), torch.tensor([[2, 3]]))
    expected = sum(math.log(1 + math.exp(score)) for score in (-1, 2, 3))
    assert loss.item() == pytest.approx(expected)


def test_words_that_stand_together_are_learned() -> None:
    torch.manual_seed(0)
    network = SkipGram(6, 8)
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    word = torch.arange(6)
    near = word ^ 1  # 0 with 1, 2 with 3, 4 with 5
    for _ in range(100):
        noise = (near[:, None] + torch.randint(1, 6, (6, 5))) % 6
        loss = negative_sampling_loss(network.hidden(word), network.output, near, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(network(word).argmax(1), near)


def test_distributions() -> None:
    noise = noise_distribution(torch.tensor([16, 1, 0]))
    torch.testing.assert_close(noise, torch.tensor([8 / 9, 1 / 9, 0]))
    kept = keep_probability(torch.tensor([90, 10]), threshold=0.1)
    torch.testing.assert_close(kept, torch.tensor([math.sqrt(0.1 / 0.9), 1.0]))

import itertools

import pytest
import torch
from compress_zoo.networks.dvsa import DVSA, BidirectionalRNN, align, all_scores, ranking_loss
from torch import nn


def small() -> DVSA:
    torch.manual_seed(0)
    return DVSA(nn.Sequential(nn.Flatten(), nn.Linear(48, 4096)), vocabulary=9, width=6).eval()


def test_recurrent_network_against_the_equations() -> None:
    torch.manual_seed(0)
    network, words = BidirectionalRNN(9, 6), [4, 1, 7]
    weights = {name: value.detach() for name, value in network.named_parameters()}

    def layer(name, x):
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    entered = [layer("enter", weights["embedding.weight"][word]).relu() for word in words]
    past, future = [torch.zeros(6)], [torch.zeros(6)]
    for e in entered:
        past.append((e + layer("forwards", past[-1])).relu())
    for e in reversed(entered):
        future.append((e + layer("backwards", future[-1])).relu())
    expected = [layer("leave", past[t + 1] + future[3 - t]).relu() for t in range(3)]
    found = network(torch.tensor([words]))[0].detach()
    torch.testing.assert_close(found, torch.stack(expected))


def test_score_is_the_best_region_of_each_word() -> None:
    model, regions, words = small(), torch.randn(2, 5, 3, 4, 4), torch.randint(9, (2, 3))
    with torch.no_grad():
        scores = model(regions, words)
        seen, read = model.region_vectors(regions), model.brnn(words)
        for k in range(2):
            expected = sum(max(v @ s for v in seen[k]) for s in read[k])
            assert scores[k].item() == pytest.approx(expected.item(), rel=1e-5)
        torch.testing.assert_close(all_scores(seen, read).diagonal(), scores)
        crossed = model(regions, words.flip(0))
        torch.testing.assert_close(all_scores(seen, read)[0, 1], crossed[0])


def test_ranking_loss_by_hand() -> None:
    scores = torch.tensor([[5.0, 4.5], [1.0, 3.0]])
    # sentences: 4.5 - 5 + 1 and 1 - 3 + 1 < 0; images: 1 - 5 + 1 < 0 and 4.5 - 3 + 1
    assert ranking_loss(scores).item() == pytest.approx(0.5 + 2.5)
    assert ranking_loss(10 * torch.eye(3)).item() == 0


@pytest.mark.parametrize("smoothness", [0.0, 0.7, 50.0])
def test_alignment_is_the_best_of_all_paths(smoothness: float) -> None:
    fits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))

    def energy(path):
        unary = sum(fits[word, region].item() for word, region in enumerate(path))
        return unary + smoothness * sum(a == b for a, b in itertools.pairwise(path))

    best = max(itertools.product(range(3), repeat=5), key=energy)
    assert align(fits, smoothness) == list(best)

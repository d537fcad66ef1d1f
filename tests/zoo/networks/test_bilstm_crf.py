import torch
from compress_zoo.networks.bilstm_crf import BilstmCrf

WORDS = torch.tensor([[3, 5, 1, 2], [4, 1, 0, 0]])
LETTERS = torch.tensor(
    [
        [[1, 2, 0], [3, 0, 0], [4, 4, 4], [2, 1, 3]],
        [[2, 2, 0], [1, 3, 4], [0, 0, 0], [0, 0, 0]],
    ]
)


def tagger() -> BilstmCrf:
    torch.manual_seed(0)
    return BilstmCrf(
        6, 5, 3, word_dimensions=4, character_dimensions=3, hidden=5, dropout=0.5
    ).eval()


def test_padding_changes_nothing() -> None:
    network = tagger()
    scores, tags = network(WORDS, LETTERS)
    alone, alone_tags = network(WORDS[1:, :2], LETTERS[1:, :2])
    torch.testing.assert_close(scores[1, :2], alone[0])
    assert torch.equal(tags[1, :2], alone_tags[0])
    longer, _ = network(WORDS, torch.nn.functional.pad(LETTERS, (0, 2)))
    torch.testing.assert_close(longer[:, :2], scores[:, :2])


def test_tags_are_learned() -> None:
    network, tags = tagger(), torch.tensor([[0, 1, 2, 0], [1, 2, 0, 0]])
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    for _ in range(40):
        loss = network.loss(WORDS, LETTERS, tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _, found = network(WORDS, LETTERS)
    assert torch.equal(found[0], tags[0])
    assert torch.equal(found[1, :2], tags[1, :2])

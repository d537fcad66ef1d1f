import torch
from compress_zoo.networks.han import AttentiveEncoder, Han


def test_attention_ignores_padding_and_sums_to_one() -> None:
    torch.manual_seed(0)
    encoder = AttentiveEncoder(3, 2)
    inputs, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    vectors, attention = encoder(inputs, lengths)
    torch.testing.assert_close(attention.sum(1), torch.ones(2))
    assert torch.equal(attention[1, 2:], torch.zeros(2))
    outputs = encoder.gru(inputs, lengths)
    torch.testing.assert_close(vectors[0], attention[0] @ outputs[0])


def test_padding_of_words_and_sentences_changes_nothing() -> None:
    torch.manual_seed(0)
    network = Han(9, 5, dimensions=4, hidden=3)
    short = torch.tensor([[[3, 5, 1], [2, 8, 0]]])
    padded = torch.zeros(1, 4, 6, dtype=torch.long)
    padded[:, :2, :3] = short
    torch.testing.assert_close(network(padded), network(short))


def test_order_of_sentences_matters() -> None:
    torch.manual_seed(0)
    network = Han(9, 5, dimensions=4, hidden=3)
    document = torch.tensor([[[3, 5, 1], [2, 8, 4]]])
    assert not torch.allclose(network(document), network(document.flip(1)))

import torch
from compress_zoo.networks.textcnn import TextCnn, limit_norms
from torch import nn


def test_maps_keep_their_largest_value_wherever_it_is() -> None:
    torch.manual_seed(0)
    network = TextCnn(9, 2, dimensions=4, windows=(2,), maps=3, dropout=0.5).eval()
    phrase = torch.tensor([[0, 3, 7, 0, 0, 0]])
    torch.testing.assert_close(network(phrase), network(phrase.roll(2, 1)))
    (layer,) = network.convolutions
    weight, bias = layer.weight, layer.bias
    vectors = network.words.weight[phrase[0]]
    by_hand = torch.stack(
        [
            torch.stack(
                [(weight[m] * vectors[i : i + 2].T).sum() + bias[m] for i in range(5)]
            ).max()
            for m in range(3)
        ]
    ).relu()
    torch.testing.assert_close(network(phrase)[0], network.classifier(by_hand))


def test_norms_are_limited() -> None:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[6.0, 8.0], [0.6, 0.8]]))
    limit_norms(layer)
    torch.testing.assert_close(layer.weight.detach(), torch.tensor([[1.8, 2.4], [0.6, 0.8]]))

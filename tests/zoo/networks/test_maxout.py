import torch
from compress_zoo.networks.maxout import Maxout


def test_the_larger_of_each_two_sums() -> None:
    torch.manual_seed(0)
    layer = Maxout(3, 2, 4, units=5)
    state, word, context = torch.randn(2, 3), torch.randn(2, 2), torch.randn(2, 4)
    sums = layer.state(state) + layer.word(word) + layer.context(context)
    expected = torch.maximum(sums[:, 0::2], sums[:, 1::2])
    torch.testing.assert_close(layer(state, word, context), expected)

import torch
from compress_zoo.networks.bidirectional import Bidirectional, last, reverse
from torch import nn

LENGTHS = torch.tensor([4, 2])


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    layer = Bidirectional(nn.GRU(3, 5, batch_first=True), nn.GRU(3, 5, batch_first=True))
    inputs = torch.randn(2, 4, 3)
    outputs = layer(inputs, LENGTHS)
    alone = layer(inputs[1:, :2], LENGTHS[1:])
    torch.testing.assert_close(outputs[1, :2], alone[0])
    torch.testing.assert_close(last(outputs, LENGTHS)[1:], last(alone, LENGTHS[1:]))


def test_it_is_torchs_bidirectional_layer() -> None:
    torch.manual_seed(0)
    whole = nn.LSTM(3, 5, batch_first=True, bidirectional=True)
    layer = Bidirectional(nn.LSTM(3, 5, batch_first=True), nn.LSTM(3, 5, batch_first=True))
    state = whole.state_dict()
    for part, suffix in ((layer.forward_rnn, ""), (layer.backward_rnn, "_reverse")):
        part.load_state_dict({name: state[name + suffix] for name in part.state_dict()})
    inputs = torch.randn(1, 4, 3)
    expected, (ends, _) = whole(inputs)
    outputs = layer(inputs, LENGTHS[:1])
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(last(outputs, LENGTHS[:1])[0], ends.flatten())


def test_reversal_is_its_own_inverse() -> None:
    inputs = torch.randn(2, 4, 3)
    back = reverse(inputs, LENGTHS)
    assert torch.equal(back[1, 0], inputs[1, 1])
    assert torch.equal(reverse(back, LENGTHS), inputs)

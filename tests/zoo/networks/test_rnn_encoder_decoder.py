import torch
from compress_zoo.attention import rnn_encoder_decoder
from compress_zoo.networks.rnn_encoder_decoder import RnnEncoderDecoder

from tests.zoo.networks.sentences import SOURCE, TARGET


def small() -> RnnEncoderDecoder:
    torch.manual_seed(0)
    return RnnEncoderDecoder(7, 7, dimensions=4, hidden=4, maxout=4)


def test_weights_of_the_paper() -> None:
    with torch.device("meta"):
        model = rnn_encoder_decoder()
    words = 3 * 15_000 * 100  # source, target, output: each of rank 100
    encoder = 3 * 1000 * (100 + 1000) + 1000 * 1000
    decoder = 1000 * 1000 + 3 * 1000 * (100 + 1000 + 1000)
    deep_output = 2 * 500 * (1000 + 100 + 1000) + 500 * 100
    matrices = [p for p in model.parameters() if p.ndim == 2]
    assert sum(p.numel() for p in matrices) == words + encoder + decoder + deep_output


def test_equations_of_the_decoder() -> None:
    model = small()
    decoder, (context, hidden) = model.decoder, model.encode(SOURCE)
    _, (_, after) = decoder(TARGET[:, :1], (context, hidden))
    y, c, h = decoder.words(TARGET[:, 0]), context[0], hidden[0]
    w, u, v = decoder.input(y).chunk(3, 1), decoder.recurrent(h), decoder.context(c)
    (u_r, u_z, u_h), (c_r, c_z, c_h) = u.chunk(3, 1), v.chunk(3, 1)
    r, z = torch.sigmoid(w[0] + u_r + c_r), torch.sigmoid(w[1] + u_z + c_z)
    expected = z * h + (1 - z) * torch.tanh(w[2] + r * (u_h + c_h))
    torch.testing.assert_close(after[0], expected)

import torch
from compress_zoo.networks.seq2seq import Seq2Seq
from compress_zoo.seq2seq import seq2seq_lstm

from tests.zoo.networks.sentences import SOURCE


def test_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        model = seq2seq_lstm()
    biases = sum(p.numel() for name, p in model.named_parameters() if "bias" in name)
    assert sum(p.numel() for p in model.parameters()) - biases == 384_000_000
    recurrent = [*model.encoder.parameters(), *model.decoder.parameters()]
    assert sum(p.numel() for p in recurrent if p.ndim == 2) == 64_000_000


def test_source_is_read_backward() -> None:
    torch.manual_seed(0)
    model = Seq2Seq(7, 7, hidden=4, layers=2)
    state = model.encode(SOURCE)
    _, expected = model.encoder(model.source_words(SOURCE.flip(1)))
    torch.testing.assert_close(state, expected)

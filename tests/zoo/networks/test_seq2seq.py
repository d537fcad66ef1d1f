import torch
from torch.nn import functional

from zoo.networks.seq2seq import Seq2Seq, translate
from zoo.seq2seq import seq2seq_lstm

START, END = 1, 2
SOURCE = torch.tensor([[3, 4, 5], [5, 3, 6]])
TARGET = torch.tensor([[START, 5, 4, 3, END], [START, 6, 3, 5, END]])  # the source backward


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


def test_steps_say_what_the_whole_says() -> None:
    torch.manual_seed(0)
    model = Seq2Seq(7, 7, hidden=4, layers=2)
    state, steps = model.encode(SOURCE), []
    for word in TARGET.split(1, 1):
        logits, state = model.decode(word, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(SOURCE, TARGET))


def test_a_translation_is_learned() -> None:
    torch.manual_seed(0)
    model = Seq2Seq(7, 7, hidden=32, layers=2)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        loss = functional.cross_entropy(
            model(SOURCE, TARGET[:, :-1]).flatten(0, 1), TARGET[:, 1:].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for source, target in zip(SOURCE, TARGET, strict=True):
        for beam in (1, 3):
            found = translate(model, source, start=START, end=END, longest=8, beam=beam)
            assert found == target[1:-1].tolist()

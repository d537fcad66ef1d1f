import pytest
import torch
from torch.nn import functional

from zoo.networks.gnmt import Gnmt, translate
from zoo.seq2seq import gnmt

START, END = 1, 2
SOURCE = torch.tensor([[3, 4, 5], [5, 3, 6]])
TARGET = torch.tensor([[START, 3, 4, 5, END], [START, 5, 3, 6, END]])


def small(hidden: int = 4) -> Gnmt:
    torch.manual_seed(0)
    return Gnmt(7, 7, hidden=hidden, layers=4)


def test_parameters() -> None:
    with torch.device("meta"):
        model = gnmt()
    # 278 million by Shazeer et al. 2017, arXiv:1701.06538, table 2; ours have torch's second biases
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(278e6, rel=0.015)
    assert len(model.encoder.upper) == len(model.decoder.upper) == 7


def test_padding_of_the_source_changes_nothing() -> None:
    model = small()
    padded = functional.pad(SOURCE, (0, 2))
    torch.testing.assert_close(model(padded, TARGET), model(SOURCE, TARGET))


def test_steps_say_what_the_whole_says() -> None:
    model = small()
    state, steps = model.encode(SOURCE), []
    for word in TARGET.split(1, 1):
        logits, state = model.decoder(word, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(SOURCE, TARGET))


def test_attention_is_a_weighted_mean() -> None:
    torch.manual_seed(0)
    attention = small().decoder.attention
    values = torch.randn(3, 2, 4)
    padding = torch.zeros(3, 2, 1, dtype=torch.bool)
    padding[1:, 0] = True
    context = attention(torch.randn(2, 4), (values, attention.key(values), padding))
    torch.testing.assert_close(context[0], values[0, 0])  # the rest is padding
    assert (context[1] <= values[:, 1].amax(0)).all()
    assert (context[1] >= values[:, 1].amin(0)).all()


def test_residual_connections_begin_with_the_third_layer() -> None:
    model = small()
    for layer in model.encoder.upper[1:]:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)  # such a layer says 0
    outputs = model.encoder(SOURCE)
    words = model.encoder.words(SOURCE)
    second, _ = model.encoder.upper[0](model.encoder.first(words, torch.tensor([3, 3])))
    torch.testing.assert_close(outputs, second)


def test_a_translation_is_learned() -> None:
    model = small(hidden=32)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(80):
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

"""What holds of every network that translates, at a tiny size."""

from collections.abc import Callable

import pytest
import torch
from compress_zoo.attention import bahdanau, luong_global, luong_local, rnn_encoder_decoder
from compress_zoo.convs2s import convs2s
from compress_zoo.networks import bahdanau as rnn_search
from compress_zoo.networks import convs2s as convolutional
from compress_zoo.networks import gnmt as google
from compress_zoo.networks import luong, seq2seq, transformer
from compress_zoo.networks import rnn_encoder_decoder as encoder_decoder
from compress_zoo.seq2seq import gnmt, seq2seq_lstm
from compress_zoo.transformer import transformer_base
from torch import nn
from torch.nn import functional

from tests.zoo.networks.sentences import END, SOURCE, START, TARGET

Translate = Callable[..., list[int]]
NETWORKS: dict[str, tuple[Callable[[int], nn.Module], Translate]] = {
    "rnn-encoder-decoder": (
        lambda n: rnn_encoder_decoder(source=7, target=7, dimensions=n, hidden=n, maxout=n),
        encoder_decoder.translate,
    ),
    "bahdanau": (
        lambda n: bahdanau(source=7, target=7, dimensions=n, hidden=n, align=n, maxout=n),
        rnn_search.translate,
    ),
    "seq2seq": (
        lambda n: seq2seq_lstm(source=7, target=7, hidden=n, layers=2),
        seq2seq.translate,
    ),
    "luong-global": (
        lambda n: luong_global(source=7, target=7, hidden=n, layers=2),
        luong.translate,
    ),
    "luong-local": (
        lambda n: luong_local(source=7, target=7, hidden=n, layers=2),
        luong.translate,
    ),
    "gnmt": (lambda n: gnmt(source=7, target=7, hidden=n, layers=4), google.translate),
    "convs2s": (
        lambda n: convs2s(source=7, target=7, dimensions=n, hidden=n, layers=2, dropout=0.0),
        convolutional.translate,
    ),
    "transformer": (
        lambda n: transformer_base(vocabulary=7, width=n, heads=2, inner=16, layers=2, dropout=0.0),
        transformer.translate,
    ),
}
WITHOUT_STATE = {"convs2s", "transformer"}  # a step reads all words that went before
READ_PADDING = {"seq2seq", "luong-global", "luong-local"}  # the source has no padding in these


def network(name: str, hidden: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name][0](hidden).eval()


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - READ_PADDING))
def test_padding_of_the_source_changes_nothing(name: str) -> None:
    model = network(name)
    padded = functional.pad(SOURCE, (0, 2))
    torch.testing.assert_close(model(padded, TARGET), model(SOURCE, TARGET))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_word_sees_a_later_one(name: str) -> None:
    model, changed = network(name), TARGET.clone()
    changed[:, 3] = 6
    left, right = model(SOURCE, TARGET), model(SOURCE, changed)
    torch.testing.assert_close(left[:, :3], right[:, :3])
    assert not torch.allclose(left[:, 3:], right[:, 3:])


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - WITHOUT_STATE))
def test_steps_say_what_the_whole_says(name: str) -> None:
    model = network(name)
    step = getattr(model, "decode", None) or model.decoder
    state, steps = model.encode(SOURCE), []
    for word in TARGET.split(1, 1):
        logits, state = step(word, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(SOURCE, TARGET))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_translation_is_learned(name: str) -> None:
    model = network(name, hidden=32)
    _learn(model)
    for source, target in zip(SOURCE, TARGET, strict=True):
        for beam in (1, 3):
            found = NETWORKS[name][1](model, source, start=START, end=END, longest=8, beam=beam)
            assert found == target[1:-1].tolist()


def _learn(model: nn.Module) -> None:
    """Train until it knows; how many steps that takes differs between processors."""
    torch.manual_seed(0)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(600):
        logits = model(SOURCE, TARGET[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), TARGET[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    model.eval()

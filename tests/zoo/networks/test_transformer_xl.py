import math

import pytest
import torch
from compress_zoo.networks.transformer_xl import (
    RelativeAttention,
    TransformerXl,
    generate,
    halves,
    shifted,
)
from compress_zoo.transformer import transformer_xl


def small() -> TransformerXl:
    torch.manual_seed(0)
    model = transformer_xl(vocabulary=7, width=8, heads=2, inner=16, layers=3, dropout=0.0)
    assert isinstance(model, TransformerXl)
    return model.eval()


def test_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        model = transformer_xl()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(41e6, rel=0.01)


def test_attention_is_the_four_terms_of_the_paper() -> None:
    torch.manual_seed(0)
    width, memory, time = 4, 2, 3
    attention = RelativeAttention(width, 1)
    x, past = torch.randn(1, time, width), torch.randn(1, memory, width)
    u, v = torch.randn(1, width), torch.randn(1, width)
    seen, length = torch.cat([past, x], 1), memory + time
    distances = halves(torch.arange(length - 1, -1, -1), width)
    found = attention(x, seen, distances, u, v)
    q, k = attention.query(x)[0], attention.key(seen)[0]
    rows = []
    for i in range(time):
        scores = torch.full((length,), -math.inf)
        for j in range(memory + i + 1):
            r = attention.distance(halves(torch.tensor([memory + i - j]), width))[0]
            scores[j] = (q[i] @ k[j] + q[i] @ r + u[0] @ k[j] + v[0] @ r) / math.sqrt(width)
        rows.append(scores.softmax(0) @ attention.value(seen)[0])
    torch.testing.assert_close(found[0], attention.output(torch.stack(rows)))


def test_each_row_is_shifted_by_its_distance_from_the_last() -> None:
    distances = torch.tensor([4, 3, 2, 1, 0]).expand(1, 1, 3, 5)
    moved = shifted(distances)[0, 0]
    for i in range(3):
        for j in range(2 + i + 1):
            assert moved[i, j] == 2 + i - j


def test_a_text_in_segments_is_a_text() -> None:
    model, tokens = small(), torch.randint(0, 7, (2, 6))
    empty = torch.zeros(2, 3, 0, 8)
    whole, _ = model(tokens, empty)
    first, _ = model(tokens[:, :4], empty)
    # A memory as long as the segment holds all that was read.
    inputs = [model.symbols(tokens[:, :4]) * math.sqrt(8)]
    distances = halves(torch.arange(3, -1, -1), 8)
    for layer in model.layers[:-1]:
        inputs.append(layer(inputs[-1], empty[:, 0], distances, model.content, model.place))
    second, memory = model(tokens[:, 4:], torch.stack(inputs, 1))
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    assert memory.shape == (2, 3, 4, 8)
    torch.testing.assert_close(memory[:, :, :2], torch.stack(inputs, 1)[:, :, 2:])


def test_memory_moves_on_by_the_segment() -> None:
    model, tokens = small(), torch.randint(0, 7, (2, 6))
    _, memory = model(tokens[:, :4], torch.zeros(2, 3, 4, 8))
    torch.testing.assert_close(memory[:, 0], model.symbols(tokens[:, :4]) * math.sqrt(8))


def test_generation_takes_the_likeliest() -> None:
    model, tokens = small(), torch.randint(0, 7, (2, 4))
    memory = torch.zeros(2, 3, 4, 8)
    logits, memory_after = model(tokens, memory)
    first = logits[:, -1:].argmax(-1)
    second = model(first, memory_after)[0].argmax(-1)
    torch.testing.assert_close(generate(model, tokens, memory, 2), torch.cat([first, second], 1))

import torch
from compress_zoo.networks.linear_transformer import (
    LEVELS,
    LinearAttention,
    LinearTransformer,
    complete,
    log_likelihood,
)
from compress_zoo.transformer import linear_transformer
from torch.nn import functional


def small() -> LinearTransformer:
    torch.manual_seed(0)
    model = linear_transformer(width=8, heads=2, layers=2, dropout=0.0)
    assert isinstance(model, LinearTransformer)
    return model.eval()


def test_attention_is_the_quadratic_form_with_feature_maps() -> None:
    torch.manual_seed(0)
    attention, x = LinearAttention(8, 2), torch.randn(2, 5, 8)
    q, k, v = (
        layer(x).unflatten(-1, (2, 4)).transpose(1, 2)
        for layer in (attention.query, attention.key, attention.value)
    )
    weights = ((functional.elu(q) + 1) @ (functional.elu(k) + 1).mT).tril()
    heads = weights / weights.sum(-1, keepdim=True) @ v
    expected = attention.output(heads.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), expected)


def test_the_transformer_is_an_rnn() -> None:
    model, pixels = small(), torch.randint(0, LEVELS, (2, 6))
    state, steps = model.start(2), []
    for place, pixel in enumerate(pixels.split(1, 1)):
        mixture, state = model.step(pixel, place, state)
        steps.append(mixture)
    torch.testing.assert_close(torch.cat(steps, 1), model(pixels))


def test_chances_of_all_levels_sum_to_one() -> None:
    torch.manual_seed(0)
    mixtures = torch.randn(1, 1, 30).expand(1, LEVELS, 30)
    chances = log_likelihood(mixtures, torch.arange(LEVELS)[None]).exp()
    torch.testing.assert_close(chances.sum(), torch.tensor(1.0))


def test_an_image_is_learned_and_completed() -> None:
    model, image = small(), torch.tensor([[0, 255, 0, 0, 255, 255]])
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(150):
        loss = -log_likelihood(model(image[:, :-1]), image[:, 1:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = complete(model, image[:, :1], 6, torch.Generator().manual_seed(0))
    assert found.tolist() == image.tolist()

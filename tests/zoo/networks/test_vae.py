import math

import pytest
import torch
from compress_zoo.networks.vae import (
    CategoricalEncoder,
    Decoder,
    GaussianEncoder,
    annealed_temperature,
    categorical_elbo,
    gaussian_elbo,
)
from torch import nn

PIXELS = (torch.rand(64, 784, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def zeroed(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network


def test_gaussian_bound_by_hand() -> None:
    encoder, decoder = zeroed(GaussianEncoder()), zeroed(Decoder(20, 500, nn.Tanh()))
    # q is the prior and every pixel a fair coin
    assert gaussian_elbo(encoder, decoder, PIXELS).item() == pytest.approx(-784 * math.log(2))
    nn.init.constant_(encoder.mean.bias, 3.0)
    nn.init.constant_(encoder.log_variance.bias, math.log(4))
    divergence = 20 * (9 + 4 - 1 - math.log(4)) / 2
    expected = -784 * math.log(2) - divergence
    assert gaussian_elbo(encoder, decoder, PIXELS).item() == pytest.approx(expected)


def test_categorical_bound_by_hand() -> None:
    encoder, decoder = zeroed(CategoricalEncoder()), zeroed(Decoder(200, 200, nn.ReLU()))
    bound = categorical_elbo(encoder, decoder, PIXELS, temperature=1.0)
    assert bound.item() == pytest.approx(-784 * math.log(2))
    with torch.no_grad():
        encoder.bias.view(20, 10)[:, 0] = 50.0  # certain: each variable costs log 10
    bound = categorical_elbo(encoder, decoder, PIXELS, temperature=1.0)
    assert bound.item() == pytest.approx(-784 * math.log(2) - 20 * math.log(10))


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_training_raises_the_bound(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "gaussian":
        encoder, decoder = GaussianEncoder(), Decoder(20, 500, nn.Tanh())
        bound = gaussian_elbo
    else:
        encoder, decoder = CategoricalEncoder(), Decoder(200, 200, nn.ReLU())

        def bound(encoder, decoder, pixels):
            return categorical_elbo(encoder, decoder, pixels, temperature=1.0)

    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)
    pixels = PIXELS[:4].repeat(16, 1)  # four images
    before = bound(encoder, decoder, pixels).item()
    for _ in range(60):
        optimizer.zero_grad()
        (-bound(encoder, decoder, pixels)).backward()
        optimizer.step()
    assert bound(encoder, decoder, pixels).item() > before / 2
    assert all(p.grad.abs().sum() > 0 for p in parameters)  # also through the draw


def test_temperature_falls_to_a_half() -> None:
    assert annealed_temperature(0) == 1
    assert annealed_temperature(10_000) == pytest.approx(math.exp(-0.1))
    assert annealed_temperature(10**7) == 0.5

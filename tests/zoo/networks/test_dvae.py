import pytest
import torch
from compress_zoo.networks.dvae import DiscreteVAE, dvae_loss, logit_laplace
from torch.distributions import Laplace, SigmoidTransform, TransformedDistribution


def test_published_sizes() -> None:
    with torch.device("meta"):
        model = DiscreteVAE(width=256)
        grid = model.encoder(torch.empty(1, 3, 256, 256))
        pixels = model.decoder(grid)
    sizes = [sum(p.numel() for p in half.parameters()) for half in (model.encoder, model.decoder)]
    assert sizes == [53_786_240, 43_829_766]  # the published files hold 215 and 175 MB of float32
    assert grid.shape == (1, 8192, 32, 32)
    assert pixels.shape == (1, 6, 256, 256)


def test_density_is_that_of_a_transformed_laplace() -> None:
    torch.manual_seed(0)
    x, mean, log_scale = torch.rand(50) * 0.8 + 0.1, torch.randn(50), torch.randn(50)
    reference = TransformedDistribution(Laplace(mean, log_scale.exp()), [SigmoidTransform()])
    torch.testing.assert_close(logit_laplace(x, mean, log_scale), reference.log_prob(x))


def test_tokens_and_back() -> None:
    torch.manual_seed(0)
    model = DiscreteVAE(width=8, vocabulary=16).eval()
    tokens = model.tokens(torch.rand(2, 3, 32, 32))
    assert tokens.shape == (2, 4, 4)
    assert 0 <= tokens.min() <= tokens.max() < 16
    images = model.images(tokens)
    assert images.shape == (2, 3, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    model = DiscreteVAE(width=8, vocabulary=16)
    images = torch.full((4, 3, 16, 16), 0.9)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    before = dvae_loss(model, images, temperature=1.0).item()
    for _ in range(20):
        optimizer.zero_grad()
        dvae_loss(model, images, temperature=1.0).backward()
        optimizer.step()
    assert dvae_loss(model, images, temperature=1.0).item() < before - 0.2


def test_divergence_is_weighted_by_beta() -> None:
    torch.manual_seed(0)
    model = DiscreteVAE(width=8, vocabulary=16)
    torch.nn.init.zeros_(model.encoder[-1].weight)
    torch.nn.init.zeros_(model.encoder[-1].bias)
    model.encoder[-1].bias.data[3] = 100.0  # every token is certain: each costs log 16
    images = torch.rand(2, 3, 16, 16)
    without, once = (dvae_loss(model, images, 1.0, kl_weight=beta).item() for beta in (0.0, 1.0))
    expected = 2 * 4 * torch.tensor(16.0).log().item() / images.numel()
    assert once - without == pytest.approx(expected, rel=1e-3)

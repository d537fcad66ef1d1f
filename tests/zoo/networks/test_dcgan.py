import math

import pytest
import torch
from compress_zoo.networks.dcgan import Discriminator, Generator, discriminator_loss, generator_loss
from torch import nn


def test_maps_grow_as_in_figure_1() -> None:
    with torch.device("meta"):
        generator, x, shapes = Generator(), torch.empty(2, 1024, 4, 4), []
        for layer in generator.grow:
            x = layer(x)
            if isinstance(layer, nn.ConvTranspose2d):
                shapes.append(tuple(x.shape[1:]))
    assert shapes == [(512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]


def test_discriminator_is_the_mirror() -> None:
    with torch.device("meta"):
        discriminator, x, shapes = Discriminator(), torch.empty(2, 3, 64, 64), []
        for layer in discriminator:
            x = layer(x)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                shapes.append(tuple(x.shape[1:]))
    assert shapes == [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (1,)]
    norms = [layer for layer in discriminator if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 3


def test_weights_have_the_papers_deviation() -> None:
    torch.manual_seed(0)
    generator = Generator()
    assert generator.project.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert generator.grow[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert generator.norm.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert generator.grow[-2].bias.abs().sum() == 0


def test_losses_by_hand() -> None:
    even = torch.zeros(3, 1)
    assert discriminator_loss(even, even).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(even).item() == pytest.approx(math.log(2))
    real, generated = torch.tensor([2.0]), torch.tensor([-1.0])
    expected = -math.log(real.sigmoid()) - math.log(1 - generated.sigmoid())
    assert discriminator_loss(real, generated).item() == pytest.approx(expected)
    assert generator_loss(generated).item() == pytest.approx(-math.log(generated.sigmoid()))

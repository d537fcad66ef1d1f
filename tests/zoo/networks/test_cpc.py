import math

import pytest
import torch
from compress_zoo.networks.cpc import CPC, InfoNCE
from torch import nn


def test_one_latent_every_ten_milliseconds() -> None:
    with torch.device("meta"):
        latents, contexts = CPC()(torch.empty(2, 1, 20_480))
    assert latents.shape == (2, 128, 512)
    assert contexts.shape == (2, 128, 256)


def test_contexts_know_the_past_only() -> None:
    torch.manual_seed(0)
    network, waveform = CPC().eval(), torch.randn(1, 1, 1600)
    changed = waveform.clone()
    changed[..., 1200:] = 0
    with torch.no_grad():
        before, after = network(waveform)[1][0], network(changed)[1][0]
    torch.testing.assert_close(before[:6], after[:6])
    assert (before[8:] - after[8:]).abs().max() > 1e-4


def test_loss_against_a_plain_reference() -> None:
    torch.manual_seed(0)
    loss, latents, contexts = InfoNCE(2, 5, 4), torch.randn(3, 6, 5), torch.randn(3, 6, 4)
    by_step = []
    for step, predict in enumerate(loss.predict, start=1):
        terms = []
        for time in range(6 - step):
            for own in range(3):
                predicted = predict(contexts[own, time]).detach()
                scores = [math.exp(predicted @ latents[r, time + step]) for r in range(3)]
                terms.append(-math.log(scores[own] / sum(scores)))
        by_step.append(sum(terms) / len(terms))
    assert loss(latents, contexts).item() == pytest.approx(sum(by_step) / 2, rel=1e-5)


def test_loss_is_small_where_the_future_is_told() -> None:
    loss = InfoNCE(1, 3, 3)
    nn.init.eye_(loss.predict[0].weight)
    told = 20 * torch.eye(3)[:, None].expand(3, 4, 3)  # each recording has a direction of its own
    assert loss(told, told).item() < 1e-6
    assert loss(told, told * 0).item() == pytest.approx(math.log(3))

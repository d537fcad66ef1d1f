from itertools import pairwise

import pytest
import torch
from compress_zoo.networks.awd_lstm import AwdLstm
from compress_zoo.networks.ulmfit import (
    ConcatPoolingClassifier,
    discriminative_rates,
    gradual_unfreezing,
    layer_groups,
    slanted_triangular_rate,
)


def test_groups_hold_every_parameter_once() -> None:
    model = AwdLstm(9, dimensions=4, hidden=6, layers=3)
    groups = layer_groups(model)
    assert len(groups) == 5
    found = [id(parameter) for group in groups for parameter in group]
    assert sorted(found) == sorted(id(parameter) for parameter in model.parameters())


def test_lower_layers_learn_more_slowly() -> None:
    model = AwdLstm(9, dimensions=4, hidden=6, layers=3)
    optimizer = torch.optim.Adam(discriminative_rates(layer_groups(model), 0.01))
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[-1] == 0.01
    assert all(above / below == pytest.approx(2.6) for below, above in pairwise(rates))


def test_rate_rises_and_falls() -> None:
    rates = [slanted_triangular_rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.01 / 32)
    assert max(rates) == rates[10] == pytest.approx(0.01)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.01 * (1 + 31 / 2) / 32)  # half way down
    assert slanted_triangular_rate(1, 5) == pytest.approx(0.01)


def test_layers_join_from_the_last() -> None:
    groups = layer_groups(AwdLstm(9, dimensions=4, hidden=6, layers=1))
    states = [
        [all(p.requires_grad for p in group) for group in groups]
        for _ in gradual_unfreezing(groups)
    ]
    assert states == [[False, False, True], [False, True, True], [True, True, True]]


def test_head_pools_last_largest_and_mean() -> None:
    head = ConcatPoolingClassifier(2, 3).eval()
    outputs = torch.tensor([[[1.0, 5.0], [4.0, 0.0], [1.0, 1.0]]])
    pooled = torch.tensor([[1.0, 1.0, 4.0, 5.0, 2.0, 2.0]])
    torch.testing.assert_close(head(outputs), head.layers(pooled))
